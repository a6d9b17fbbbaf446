"""Event files for TensorBoard, which the extra litefront[tensorboard] installs: the points of a curve as scalars."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from search.experiments.curve import Point
from space.errors import UserError

TAGS = {"loss": "loss", "learning_rate": "learning_rate", "validation_psnr_db": "psnr_db"}  # by fields of a point


def check_installed() -> None:
    """Raises: UserError: TensorBoard is not installed."""
    _writer_class()


def _writer_class() -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise UserError(
            "--tensorboard needs tensorboard, got none installed; pip install 'litefront[tensorboard]'"
        ) from None
    return SummaryWriter


@contextmanager
def events_in(folder: Path | None, step: int) -> Iterator[Callable[[Point], None]]:
    """Takes the points of a training that goes on after ``step`` and writes them to ``folder``; None: to nowhere.

    What an earlier session wrote of later steps is taken back.
    """
    if folder is None:
        yield lambda _point: None
        return
    writer = _writer_class()(str(folder), purge_step=step + 1)

    def write(point: Point) -> None:
        for tag, field in TAGS.items():
            value = getattr(point, field)
            if value is not None:
                writer.add_scalar(tag, value, point.step)
        writer.flush()

    try:
        yield write
    finally:
        writer.close()
