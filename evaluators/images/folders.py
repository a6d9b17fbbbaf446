"""Photographs of the user's own: every file of a folder as 8-bit RGB, or one line that says which file is wrong.

Nothing is skipped silently: a file that cannot be read as an image, or not to its end, is an error that names it.
"""

import hashlib
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluators.images.decode import decode_rgb
from evaluators.images.names import escaped_name
from space.errors import UserError

_CLUTTER = ("thumbs.db", "desktop.ini")  # written by file managers; the others' names begin with a dot

MAX_BYTES = 1 << 30  # a file of MAX_MEGAPIXELS with 16 bits per channel has 768 MB
MOST_NAMED = 5
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISCHR, "a device"),
)


@dataclass(frozen=True, slots=True, eq=False)
class NamedImage:
    """One photograph.

    ``pixels`` is ``(H, W, 3)`` uint8 RGB. ``grey`` says that the file has a single channel: its three channels here
    are equal, and the published tables measure such an image as it is, ``pixels[..., 0]``.
    """

    name: str
    pixels: np.ndarray
    grey: bool = False


def load_image(path: str | Path) -> np.ndarray:
    """Read one image file as ``(H, W, 3)`` uint8 RGB; `decode_rgb` says how formats are converted.

    Raises:
        UserError: the file is missing, unreadable, no image, damaged or too large. The message names it.
    """
    return _load(Path(path), str(path)).pixels


def load_folder(path: str | Path, min_side_px: int, recursive: bool = False) -> tuple[NamedImage, ...]:
    """Read every image of a folder, sorted by name.

    The name is the file's with its suffix, and with its folders when ``recursive``, as it can be printed. Hidden files
    and what file managers leave behind are ignored; so are folders inside the folder, unless ``recursive``.

    Raises:
        UserError: the folder is missing, is no folder or has no images; a file is no image or is damaged; an image
            is shorter than ``min_side_px`` on a side.
    """
    folder = Path(path)
    names = sorted(file.relative_to(folder).as_posix() for file in picture_files(folder, recursive))
    return tuple(_large_enough(_load(folder / name, name), folder / name, min_side_px) for name in names)


def picture_files(path: str | Path, recursive: bool = False) -> tuple[Path, ...]:
    """Every file of a folder that should be a picture, sorted; whether it is one is not known yet.

    Raises:
        UserError: the folder is missing, is no folder, cannot be read or holds no files; or it holds what is no file:
            a link to nothing, a pipe, a socket or a device.
    """
    folder = Path(path)
    shown = escaped_name(folder)
    try:
        if not folder.is_dir():
            if folder.exists():
                raise UserError(f"image folder must be a folder, got the file {shown}; give the folder that holds it")
            if folder.is_symlink():
                raise UserError(f"image folder must exist, got {shown}, {_where(folder)}; mend the link")
            raise UserError(f"image folder must exist, got {shown}; check the path")
        entries = [
            entry
            for entry in (folder.rglob("*") if recursive else folder.iterdir())
            if not _is_clutter(entry.relative_to(folder))
        ]
        files: list[Path] = []
        folders: list[Path] = []
        for entry in sorted(entries):
            (folders if entry.is_dir() else files).append(entry)
        for file in files:
            _check_regular(file)
    except (OSError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"image folder must be readable, got {shown}: {_reason(error)}; check its rights") from None
    if not files and folders:
        named = ", ".join(escaped_name(each.name) for each in folders[:MOST_NAMED])
        more = f" and {len(folders) - MOST_NAMED} more" if len(folders) > MOST_NAMED else ""
        raise UserError(
            f"image folder must hold images, got {shown}, which holds only folders ({named}{more}); give one of them"
        )
    if not files:
        raise UserError(f"image folder must hold images, got none in {shown}; put PNG, JPEG or TIFF files into it")
    return tuple(files)


def fingerprint(images: Iterable[NamedImage]) -> str:
    """Twelve hex digits that change with any name, size or pixel, and with the order of the images."""
    digest = hashlib.blake2b(digest_size=6)
    for image in images:
        digest.update(f"{image.name}\0{image.pixels.shape}\0".encode())
        digest.update(np.ascontiguousarray(image.pixels).data)
    return digest.hexdigest()


def _is_clutter(relative: Path) -> bool:
    """Whether a file is hidden or one that file managers leave behind; ``relative`` is its path inside the folder."""
    return any(part.startswith(".") for part in relative.parts) or relative.name.lower() in _CLUTTER


def _check_regular(file: Path) -> None:
    """Raises: UserError: ``file`` is no file, nor a link to one: reading it may fail, or never end."""
    try:
        mode = file.stat().st_mode
    except OSError as error:
        what = _where(file) if file.is_symlink() else _reason(error)
        raise UserError(f"image {escaped_name(file)} must be a readable file, got {what}; mend or remove it") from None
    if not stat.S_ISREG(mode):
        kind = next((kind for is_kind, kind in _KINDS if is_kind(mode)), "something else")
        raise UserError(f"image {escaped_name(file)} must be a file, got {kind}; remove it")


def _where(link: Path) -> str:
    return f"a link to {escaped_name(os.readlink(link))}, where there is no file"


def _reason(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error)


def _load(file: Path, name: str) -> NamedImage:
    try:
        if file.is_symlink() or file.exists():
            _check_regular(file)
        size = file.stat().st_size
        if size > MAX_BYTES:
            raise UserError(f"image {escaped_name(file)} must have at most {MAX_BYTES >> 20} MB, got {size >> 20} MB")
        data = file.read_bytes()
    except OSError as error:
        raise UserError(
            f"image {escaped_name(file)} must be a readable file, got {_reason(error)}; check the path"
        ) from None
    return NamedImage(escaped_name(name), *decode_rgb(data, escaped_name(file)))


def _large_enough(image: NamedImage, file: Path, min_side_px: int) -> NamedImage:
    height, width = image.pixels.shape[:2]
    if min(height, width) < min_side_px:
        raise UserError(
            f"image {escaped_name(file)} must be at least {min_side_px} px on each side, got {width}x{height}; "
            "remove it or use a larger one"
        )
    return image
