"""Restored files against clean pictures, by the rules of the task."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from evaluators.images.decode import decode_rgb
from evaluators.images.folders import picture_files
from evaluators.images.names import escaped_name
from evaluators.restore.restorer import read_mask
from evaluators.tasks import Pair, TaskRules
from space.errors import UserError
from space.text_files import read_file

LARGEST_BYTES = 1 << 33


def references_of(pictures: Iterable[Path], folder: Path) -> dict[Path, Path]:
    """By picture, the file in ``folder`` of the same name, its suffix apart.

    Raises:
        UserError: a picture has none, or several.
    """
    by_stem: dict[str, list[Path]] = {}
    for path in picture_files(folder):
        by_stem.setdefault(path.stem, []).append(path)
    found = {}
    for path in pictures:
        named = by_stem.get(path.stem, [])
        if len(named) != 1:
            raise UserError(
                f"--reference {escaped_name(folder)} must hold one picture named as {escaped_name(path.name)}, got "
                f"{len(named)}"
            )
        found[path] = named[0]
    return found


def quality_of(
    outputs: Mapping[Path, Path], masks: Mapping[Path, Path | None], references: Mapping[Path, Path], rules: TaskRules
) -> dict[Path, tuple[float, float]]:
    """PSNR in dB and SSIM of each restored file as it lies there, in 8 bits.

    Raises:
        UserError: a reference is of another size.
    """
    return {path: _figures(output, masks.get(path), references[path], rules) for path, output in outputs.items()}


def _figures(output: Path, mask: Path | None, reference: Path, rules: TaskRules) -> tuple[float, float]:
    restored, is_grey = _pixels(output)
    target, _ = _pixels(reference)
    height, width = restored.shape[:2]
    if not (0 <= target.shape[0] - height < rules.scale and 0 <= target.shape[1] - width < rules.scale):
        raise UserError(
            f"reference {escaped_name(reference)} must have the restored picture's size, {width}x{height}, got "
            f"{target.shape[1]}x{target.shape[0]}"
        )
    target = target[:height, :width]  # a scale's remainder was cut off before the picture was reduced
    if is_grey:
        restored, target = restored[..., :1], target[..., :1]
    degraded = restored
    if mask is not None:
        holes = read_mask(mask, LARGEST_BYTES)[..., None]
        degraded = np.concatenate([restored, holes.astype(np.uint8) * np.uint8(255)], axis=2)
    pair = Pair(output.name, degraded, target, is_grey)
    return float(rules.measure.psnr_db(restored, pair)), float(rules.measure.ssim(restored, pair))


def _pixels(path: Path) -> tuple[np.ndarray, bool]:
    return decode_rgb(read_file(path, "picture", LARGEST_BYTES), escaped_name(path))
