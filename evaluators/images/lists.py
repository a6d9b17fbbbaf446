"""Lists that choose pictures of a folder: a text file with a name a line, as test sets are published."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from evaluators.images.folders import NamedImage
from evaluators.images.names import escaped_name
from evaluators.images.pair_folders import NamedPair
from space.errors import UserError
from space.text_files import decode_text, read_file, shortened

Picture = NamedImage | NamedPair
MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")  # of UTF-8 and UTF-16


def _read_list(path: Path) -> tuple[tuple[int, str], ...]:
    """Line number and name of every line that is neither empty nor a comment (``#``); ``./a.png`` is ``a.png``.

    Raises:
        UserError: no file, no text, no names, or a name that leads out of the folder.
    """
    data = read_file(path, "a list of pictures")
    if data.startswith(MARKS) or b"\0" in data:
        lines = decode_text(path.name, data).split("\n")
    else:  # the names of a folder may be no UTF-8, and so may its list
        ends = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = [os.fsdecode(line) for line in ends.split(b"\n")]
    names = []
    for line, text in enumerate(lines, start=1):
        name = escaped_name(text.strip()).removeprefix("./").removeprefix(".\\")
        if not name or name.startswith("#"):
            continue
        if ".." in PurePosixPath(name).parts or PurePosixPath(name).is_absolute():
            raise UserError(
                f"{path.name}, line {line}: must be the name of a picture of its folder, got {shortened(name)!r}"
            )
        names.append((line, name))
    if not names:
        raise UserError(f"a list of pictures must hold a name a line, got an empty list in {escaped_name(path)}")
    return tuple(names)


def listed(found: Sequence[Picture], path: Path) -> tuple[Picture, ...]:
    """Those of ``found`` that the list in ``path`` names, with or without their endings, in its order.

    Raises:
        UserError: as ``_read_list``; or a name that is none of ``found``, means several of them, or stands there twice.
    """
    chosen: dict[str, int] = {}
    by_name = {picture.name: picture for picture in found}
    by_stem = names_by_stem(found)
    for line, name in _read_list(path):
        fitting = [name] if name in by_name else by_stem.get(name, [])
        if not fitting:
            raise UserError(
                f"{path.name}, line {line}: every name must be a picture of its folder, got {shortened(name)!r}"
            )
        if len(fitting) > 1:
            raise UserError(f"{path.name}, line {line}: {name!r} must mean one picture, got {' and '.join(fitting)}")
        if fitting[0] in chosen:
            raise UserError(
                f"{path.name}, line {line}: every picture must stand there once, got {fitting[0]} of line "
                f"{chosen[fitting[0]]} again"
            )
        chosen[fitting[0]] = line
    return tuple(by_name[name] for name in chosen)


def names_by_stem(found: Sequence[Picture]) -> dict[str, list[str]]:
    """By a name without its ending, the names of the pictures that it means."""
    names: dict[str, list[str]] = {}
    for picture in found:
        names.setdefault(Path(picture.name).stem, []).append(picture.name)
    return names
