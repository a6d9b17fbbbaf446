"""Training and validation images for a task: the embedded photographs, or folders of the user's own."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from evaluators.images.bayer_frames import load_frames
from evaluators.images.embedded import halved_photographs, training_photographs, validation_photographs
from evaluators.images.folders import NamedImage, fingerprint, load_folder
from evaluators.images.names import escaped_name
from evaluators.images.pair_folders import (
    NamedPair,
    clean_half_beside,
    holds_pairs,
    load_pair_folder,
    pairs_fingerprint,
)
from evaluators.tasks import Pair, TaskRules
from evaluators.training.pool import PatchPool
from space.errors import UserError
from space.files import write_atomically

EMBEDDED = "embedded photographs"
POOL_BYTES = 1 << 30  # of a large folder, one crop per image is kept so that the pool stays below this
_PAIRS = re.compile(r", \d+ pairs, [0-9a-f]{12}(?:;|$)")
SMALLEST_PX = 16  # side of a network input that is measured; SSIM's window needs 11 of what is left after shaving

Picture = NamedImage | NamedPair


def training_images(folder: Path | None, rules: TaskRules) -> tuple[Picture, ...]:
    """Training images, each at least as large as a patch; pairs if the folder holds pairs.

    Raises:
        UserError: the folder or one of its files cannot be used.
    """
    return training_photographs() if folder is None else _from_folder(folder, rules, rules.degrade.plan.patch_px)


def validation_images(folder: Path | None, rules: TaskRules) -> tuple[Picture, ...]:
    """Validation images; raises as ``training_images``.

    At scale 1, a pixel of a photograph costs as much as 16 pixels in super-resolution at x4. The embedded photographs
    are then halved, which also removes their JPEG artefacts, and cropped.
    """
    if folder is not None:
        return _from_folder(folder, rules, SMALLEST_PX)
    return validation_photographs() if rules.shape.scale > 1 else halved_photographs(rules.degrade.embedded_side_px)


def describe(folder: Path | None, images: Sequence[Picture], rules: TaskRules, validates: bool = False) -> str:
    """The description of a data set in records: its name and a fingerprint of its pixels."""
    name = EMBEDDED if folder is None else f"folder {escaped_name(folder.resolve().name)}"
    pairs = [image for image in images if isinstance(image, NamedPair)]
    if pairs:
        return f"{name}, {len(pairs)} pairs, {pairs_fingerprint(pairs)}"
    singles = [image for image in images if isinstance(image, NamedImage)]
    halved = ", halved and cut" if validates and folder is None and rules.shape.scale == 1 else ""
    return f"{name}{halved}, {len(singles)} images, {fingerprint(singles)}"


def check_measurable(images: Sequence[Picture], where: Path | str | None, rules: TaskRules) -> None:
    """Refuse images that are perfect without a network, since they make the mean PSNR infinite.

    These are images of a single colour, and pairs of identical images.

    Raises:
        UserError: there is one in ``where``; the message names the first.
    """
    for image in images:
        if isinstance(image, NamedPair):
            if np.array_equal(image.degraded, image.target):
                raise UserError(
                    f"the pictures of a validation pair must differ, got {image.name} of {where} twice the same, for "
                    "which PSNR is infinite; take the pair out"
                )
        elif (image.pixels == image.pixels[:1, :1]).all():
            pair = rules.degrade.pair(image)
            if np.isinf(rules.measure.psnr_db(rules.measure.baseline(pair.degraded), pair)):
                raise UserError(
                    f"a validation picture must show something, got {image.name} of {where} in one colour, for which "
                    "PSNR is infinite; take it out"
                )


def describes_pairs(described: str) -> bool:
    """Whether a text from ``describe`` is of pairs, or of several sets that begin with pairs."""
    return _PAIRS.search(described) is not None


def training_pool(images: Sequence[Picture], rules: TaskRules) -> PatchPool:
    """A patch pool of all ``images`` and their degraded versions; given pairs are used as they are."""
    given = isinstance(images[0], NamedPair)
    finish = None if given else rules.degrade.finish_patches
    return PatchPool.from_pairs(
        _Stored(images, rules), rules.scale, POOL_BYTES, layout=rules.degrade.layout, finish=finish
    )


def pools_of(pool: PatchPool, rules: TaskRules, specialists: int) -> tuple[PatchPool, ...]:
    """``pool`` for each of ``specialists`` networks: the same images, with noise from its part of the range."""
    if specialists == 1:
        return (pool,)
    return tuple(replace(pool, finish=part.degrade.finish_patches) for part in rules.degrade.divided(specialists))


def validation_pairs(images: Sequence[Picture], rules: TaskRules) -> tuple[Pair, ...]:
    return tuple(
        _given_pair(image, rules) if isinstance(image, NamedPair) else rules.degrade.pair(image, index, len(images))
        for index, image in enumerate(images)
    )


def _given_pair(pair: NamedPair, rules: TaskRules) -> Pair:
    from_rgb = rules.degrade.from_rgb
    return Pair(pair.name, from_rgb(pair.degraded), from_rgb(pair.target))


def frame_pairs(folder: Path | None, rules: TaskRules) -> tuple[Pair, ...]:
    """Real Bayer frames for visual inspection, as pairs without a target; none without a ``folder``.

    Raises:
        UserError: the folder or one of its frames cannot be used, or the task does not take frames.
    """
    return () if folder is None else tuple(map(rules.show.frame_pair, load_frames(folder)))


def save_pairs(path: Path, pairs: Sequence[Pair]) -> None:
    """Write ``pairs`` for other processes."""
    arrays = {
        f"{field.name}/{index}": getattr(pair, field.name) for index, pair in enumerate(pairs) for field in fields(Pair)
    }
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_atomically(path, buffer.getbuffer())


def load_pairs(path: Path) -> tuple[Pair, ...]:
    """Read pairs written by ``save_pairs``."""
    with np.load(path, allow_pickle=False) as arrays:
        return tuple(
            Pair(
                str(arrays[f"name/{index}"]),
                arrays[f"degraded/{index}"],
                arrays[f"target/{index}"],
                bool(arrays[f"grey/{index}"]),
                arrays[f"display/{index}"],
                float(arrays[f"level/{index}"]),
            )
            for index in range(len(arrays.files) // len(fields(Pair)))
        )


def rules_of_folders(rules: TaskRules, train: Path | None, validation: Path | None) -> TaskRules:
    """``rules``, completed with what the layout of the folders shows before any image is read."""
    return rules.of_pairs(*(folder is not None and holds_pairs(folder) for folder in (train, validation)))


def _from_folder(folder: Path, rules: TaskRules, input_px: int) -> tuple[Picture, ...]:
    smallest_px = input_px * rules.degrade.pixels_per_patch_pixel
    if not holds_pairs(folder):
        clean = clean_half_beside(folder) if folder.is_dir() else None
        if clean is not None:
            both = f"{escaped_name(clean.parent)}, which holds both" if rules.degrade.has_pairs else escaped_name(clean)
            raise UserError(
                f"a folder of single pictures must be of clean ones, got {escaped_name(folder)}, whose pictures are "
                f"the degraded ones of pairs; give {both}"
            )
        return load_folder(folder, smallest_px + 2 * rules.degrade.margin_px)
    if not rules.degrade.has_pairs:
        raise UserError(
            f"a folder of degraded and clean pairs, whose degradation is not known, cannot serve {rules.title}, got "
            f"{escaped_name(folder)}; give a folder of clean photographs"
        )
    return load_pair_folder(folder, smallest_px)


class _Stored:
    """Degrades an image when it is asked for, so that a large folder's inputs are not all held twice."""

    def __init__(self, images: Sequence[Picture], rules: TaskRules) -> None:
        self._images, self._rules = images, rules

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> tuple[np.ndarray | None, np.ndarray]:
        image, rules = self._images[index], self._rules
        if isinstance(image, NamedPair):
            return rules.degrade.from_rgb(image.degraded), rules.degrade.from_rgb(image.target)
        return rules.degrade.stored(image)
