"""The page of a restoration: its pictures before and after, with their figures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from evaluators.images.decode import decode_rgb
from evaluators.images.names import escaped_name
from evaluators.restore.tiles import Restored
from reports.restored import Shown, write_page
from space.text_files import read_file

PAGE = "compare.html"
MOST_SHOWN = 50  # pictures, so that a browser opens the page
LARGEST_BYTES = 1 << 33


def page_of(
    model_name: str,
    outputs: Mapping[Path, Path],
    restored: Mapping[Path, Restored],
    quality: Mapping[Path, tuple[float, float]],
    output: Path,
) -> Path:
    """Write ``compare.html`` into the output folder, or beside the output file as ``NAME.compare.html``."""
    path = output / PAGE if output.is_dir() else output.with_name(f"{output.stem}.{PAGE}")
    chosen = list(outputs)[:MOST_SHOWN]
    more = len(outputs) - len(chosen)
    summary = f"{len(outputs)} restored" + (f", the first {len(chosen)} shown" if more else "")
    pictures = [
        Shown(
            escaped_name(source.name),
            _caption(restored[source], quality.get(source)),
            _pixels(source),
            _pixels(outputs[source]),
        )
        for source in chosen
    ]
    return write_page(path, f"Restored with {model_name}", f"{summary}.", pictures)


def _caption(restored: Restored, figures: tuple[float, float] | None) -> str:
    plan = restored.plan
    width, height = plan.size
    tiles = "whole" if plan.count == 1 else f"{plan.count} tiles"
    text = (
        f"{width}x{height} px, {tiles}; network {restored.network_s * 1e3:,.0f} ms, "
        f"{restored.ms_per_megapixel:,.0f} ms per megapixel"
    )
    return text + (f"; PSNR {figures[0]:.2f} dB, SSIM {figures[1]:.4f}" if figures else "")


def _pixels(path: Path) -> np.ndarray:
    return decode_rgb(read_file(path, "picture", LARGEST_BYTES), escaped_name(path))[0]
