"""Photographs of the user's own: every file of a folder as 8-bit RGB, or one line that says which file is wrong.

Nothing is skipped silently: a file that cannot be read as an image, or not to its end, is an error that names it.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluators.images.decode import decode_rgb
from space.errors import UserError

_CLUTTER = ("thumbs.db", "desktop.ini")     # written by file managers; the others' names begin with a dot


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

    The name is the file's with its suffix, and with its folders when ``recursive``. Hidden files and what file
    managers leave behind are ignored; so are folders inside the folder, unless ``recursive``.

    Raises:
        UserError: the folder is missing, is no folder or has no images; a file is no image or is damaged; an image
            is shorter than ``min_side_px`` on a side.
    """
    folder = Path(path)
    if not folder.exists():
        raise UserError(f"image folder must exist, got {folder}; check the path")
    if not folder.is_dir():
        raise UserError(f"image folder must be a folder, got the file {folder}; give the folder that holds it")
    names = sorted(
        file.relative_to(folder).as_posix()
        for file in (folder.rglob("*") if recursive else folder.iterdir())
        if file.is_file() and not is_clutter(file.relative_to(folder))
    )
    if not names:
        raise UserError(f"image folder must hold images, got none in {folder}; put PNG, JPEG or TIFF files into it")
    return tuple(_large_enough(_load(folder / name, name), folder / name, min_side_px) for name in names)


def fingerprint(images: Iterable[NamedImage]) -> str:
    """Twelve hex digits that change with any name, size or pixel, and with the order of the images."""
    digest = hashlib.blake2b(digest_size=6)
    for image in images:
        digest.update(f"{image.name}\0{image.pixels.shape}\0".encode())
        digest.update(np.ascontiguousarray(image.pixels).data)
    return digest.hexdigest()


def is_clutter(relative: Path) -> bool:
    """Whether a file is hidden or one that file managers leave behind; ``relative`` is its path inside the folder."""
    return any(part.startswith(".") for part in relative.parts) or relative.name.lower() in _CLUTTER


def _load(file: Path, name: str) -> NamedImage:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise UserError(f"image {file} must be a readable file, got {error.strerror}; check the path") from None
    return NamedImage(name, *decode_rgb(data, str(file)))


def _large_enough(image: NamedImage, file: Path, min_side_px: int) -> NamedImage:
    height, width = image.pixels.shape[:2]
    if min(height, width) < min_side_px:
        raise UserError(
            f"image {file} must be at least {min_side_px} px on each side, got {width}x{height}; "
            "remove it or use a larger one"
        )
    return image
