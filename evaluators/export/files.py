"""One exported file: written, opened in its engine, checked, and only then handed on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluators.export.check import Shot, check
from evaluators.export.formats import Exportable, ExportError, Format
from evaluators.export.tolerances import TOLERANCES
from evaluators.tasks import TaskRules
from space.errors import first_line


class OutsideToleranceError(ExportError):
    """A file computes something else than torch; ``figures`` are those of ``evaluators.export.check``."""

    def __init__(self, message: str, figures: dict[str, Any]) -> None:
        super().__init__(message)
        self.figures = figures


@dataclass(frozen=True)
class CheckedFile:
    """A file that is within its tolerance.

    Attributes:
        paths: the file, and those that belong to it.
        figures: ``evaluators.export.check.check``, with the format, size in bytes and versions.
    """

    paths: tuple[Path, ...]
    figures: dict[str, Any]


def write_checked(
    form: Format, what: Exportable, taken: Sequence[Shot], rules: TaskRules | None, folder: Path, stem: str
) -> CheckedFile:
    """Write ``what`` into ``folder``, named ``stem`` and the format's suffix, and check it; nothing stays if it fails.

    Raises:
        ExportError: the converter or the engine refuses it.
        OutsideToleranceError: it runs, and gives another output than torch.
    """
    path = folder / f"{stem}{form.suffix}"
    try:
        notes = form.write(what, path)
        paths = tuple(sorted(folder.glob(f"{stem}.*"), key=lambda each: (each != path, each.name)))
        engine = form.open(path)
        try:
            figures = check(engine, taken, rules)
        except (ExportError, OSError, MemoryError):
            raise
        except Exception as error:
            raise ExportError(f"{form.engine} cannot run {path.name}: {first_line(error)}") from error
        broken = TOLERANCES[what.dtype].broken_by(figures)
        if broken:
            raise OutsideToleranceError(
                f"{form.name} {what.dtype} is not what torch computes: {'; '.join(broken)}", figures
            )
    except BaseException:
        for each in folder.glob(f"{stem}.*"):
            each.unlink()
        raise
    described = {
        "format": form.name,
        "engine": form.engine,
        "dtype": what.dtype,
        "input": "any" if what.dynamic else f"{what.size[0]}x{what.size[1]}",
        "multiple": what.multiple if what.dynamic else 1,
        "in_channels": what.in_channels,
        "files": [each.name for each in paths],
        "bytes": sum(each.stat().st_size for each in paths),
        "versions": form.versions(),
        "notes": list(notes),
    }
    return CheckedFile(paths, described | figures)
