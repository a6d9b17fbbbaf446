"""Which picture files a restoration reads, and which it writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evaluators.images.folders import picture_files
from evaluators.images.names import escaped_name
from evaluators.restore.pictures import picture_size
from evaluators.restore.writing import WRITERS, check_suffix
from space.errors import UserError


@dataclass(frozen=True)
class Job:
    """One picture file to restore: its size is (width, height), ``mask`` the picture of its holes."""

    path: Path
    output: Path
    size: tuple[int, int]
    mask: Path | None = None


def jobs_of(source: Path, output: Path, mask: Path | None, overwrite: bool) -> tuple[Job, ...]:
    """The picture files to restore, and where to.

    Raises:
        UserError: there is none, an output is there already or cannot be written, or lies in the folder of the input.
    """
    if source.is_dir():
        inside, outer = output.resolve(), source.resolve()
        if inside == outer or outer in inside.parents:
            raise UserError(
                f"output must lie outside of the input's folder, got {escaped_name(output)} in {escaped_name(source)}; "
                "else its pictures would be restored again"
            )
        if output.exists() and not output.is_dir():
            raise UserError(f"output must be a folder for a folder of pictures, got the file {escaped_name(output)}")
        paths = picture_files(source)
        pairs = [(path, output / _written_name(path)) for path in paths]
    else:
        target = output / _written_name(source) if output.is_dir() else output
        check_suffix(target)
        pairs = [(source, target)]
        if target.exists() and source.exists() and target.samefile(source):
            raise UserError(f"output must be another file than the input, got {escaped_name(output)} for both")
    twice = (
        {target for _, target in pairs if sum(other == target for _, other in pairs) > 1} if len(pairs) < 2000 else ()
    )
    if twice:
        raise UserError(
            f"pictures must have different names without their suffixes, got several for {escaped_name(min(twice))}; "
            "rename one"
        )
    there = [target for _, target in pairs if target.exists()]
    if there and not overwrite:
        more = f" and {len(there) - 1} more" * (len(there) > 1)
        raise UserError(f"output must not exist, got {escaped_name(there[0])}{more}; give --overwrite to replace it")
    return tuple(Job(path, target, (0, 0), _mask_of(path, mask)) for path, target in pairs)


def _written_name(path: Path) -> str:
    return path.name if path.suffix.lower() in WRITERS else f"{path.stem}.png"


def _mask_of(path: Path, mask: Path | None) -> Path | None:
    if mask is None or not mask.is_dir():
        return mask
    found = sorted(each for each in mask.iterdir() if each.stem == path.stem)
    if not found:
        raise UserError(f"--mask {escaped_name(mask)} must hold a mask named as {escaped_name(path.name)}, got none")
    return found[0]


def sized(job: Job) -> tuple[int, int]:
    """(width, height) by the picture's header; (0, 0) of a file that is none, which is said when it is restored."""
    try:
        return picture_size(job.path)
    except (UserError, OSError):
        return 0, 0
