"""Picture files written row by row, so that an enlarged photograph need not stand in memory: PNG and TIFF.

JPEG and WebP are written whole. Every file appears complete or not at all.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
from PIL import Image

from evaluators.images.names import escaped_name
from evaluators.images.pixel_formats import PNG
from space.errors import UserError
from space.files import atomic_file

PNG_COLOURS = {1: 0, 2: 4, 3: 2, 4: 6}  # colour type of so many channels
DEFLATE_LEVEL = 4  # a tenth larger than 6, and twice as fast
QUALITY = 95
WHOLE_BYTES_PER_VALUE = 4  # of a picture that is written whole: its pixels, Pillow's copy, the file's bytes
LARGEST_TIFF_BYTES = (1 << 32) - (1 << 24)
LONGEST_SIDE = {"JPEG": 65_500, "WebP": 16_383}


@dataclass(frozen=True)
class Header:
    """What is to be written: ``channels`` are 1 grey or 3 RGB, and one more of transparency; ``bits`` 8 or 16."""

    size: tuple[int, int]
    channels: int
    bits: int
    icc: bytes | None = None
    exif: bytes | None = None
    quality: int = QUALITY

    @property
    def has_alpha(self) -> bool:
        return self.channels in (2, 4)


class RowWriter(Protocol):
    """Takes the rows of a picture from the top down, uint8 or uint16 `(h, W, C)`, and then ends."""

    def rows(self, values: np.ndarray) -> None: ...
    def end(self) -> None: ...


class _Png:
    def __init__(self, file: BinaryIO, header: Header) -> None:
        self._file, self._step = file, header.channels * header.bits // 8
        self._deflate = zlib.compressobj(DEFLATE_LEVEL)
        file.write(PNG)
        colour_type = PNG_COLOURS[header.channels]
        self._chunk(b"IHDR", struct.pack(">IIBBBBB", *header.size, header.bits, colour_type, 0, 0, 0))
        if header.icc:
            self._chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(header.icc))
        if header.exif:
            self._chunk(b"eXIf", header.exif.removeprefix(b"Exif\0\0"))

    def rows(self, values: np.ndarray) -> None:
        data = np.ascontiguousarray(values.astype(values.dtype.newbyteorder(">"))).view(np.uint8)
        data = data.reshape(len(values), -1)
        filtered = np.empty((len(data), data.shape[1] + 1), np.uint8)
        filtered[:, 0] = 1  # Sub: each byte less that of the pixel before
        filtered[:, 1 : self._step + 1] = data[:, : self._step]
        np.subtract(data[:, self._step :], data[:, : -self._step], out=filtered[:, self._step + 1 :])
        if packed := self._deflate.compress(filtered.tobytes()):
            self._chunk(b"IDAT", packed)

    def end(self) -> None:
        self._chunk(b"IDAT", self._deflate.flush())
        self._chunk(b"IEND", b"")

    def _chunk(self, kind: bytes, data: bytes) -> None:
        self._file.write(struct.pack(">I", len(data)) + kind + data)
        self._file.write(struct.pack(">I", zlib.crc32(data, zlib.crc32(kind))))


class _Tiff:
    """Strips of one call's rows each, packed by Deflate, and the directory at the end.

    Raises:
        UserError: the pixels take more than the 4 GB that TIFF can address.
    """

    ROWS_PER_STRIP = 64

    def __init__(self, file: BinaryIO, header: Header) -> None:
        width, height = header.size
        if width * height * header.channels * header.bits // 8 > LARGEST_TIFF_BYTES:
            raise UserError(f"a TIFF holds less than 4 GB, got {width}x{height} of {header.bits} bits; write a PNG")
        self._file, self._header = file, header
        self._offsets: list[int] = []
        self._counts: list[int] = []
        self._waiting = np.empty((0, width, header.channels), np.uint8 if header.bits == 8 else np.uint16)
        file.write(b"II*\0\0\0\0\0")

    def rows(self, values: np.ndarray) -> None:
        rows = np.concatenate([self._waiting, values])
        whole = len(rows) // self.ROWS_PER_STRIP * self.ROWS_PER_STRIP
        for top in range(0, whole, self.ROWS_PER_STRIP):
            self._strip(rows[top : top + self.ROWS_PER_STRIP])
        self._waiting = rows[whole:]

    def _strip(self, rows: np.ndarray) -> None:
        packed = zlib.compress(rows.astype(rows.dtype.newbyteorder("<")).tobytes(), DEFLATE_LEVEL)
        self._offsets.append(self._file.tell())
        self._counts.append(len(packed))
        self._file.write(packed + bytes(len(packed) % 2))

    def end(self) -> None:
        if len(self._waiting):
            self._strip(self._waiting)
        header, (width, height) = self._header, self._header.size
        fields: list[tuple[int, str, tuple[int, ...] | bytes]] = [
            (256, "I", (width,)),
            (257, "I", (height,)),
            (258, "H", (header.bits,) * header.channels),
            (259, "H", (8,)),  # Deflate
            (262, "H", (1 if header.channels <= 2 else 2,)),
            (273, "I", tuple(self._offsets)),
            (277, "H", (header.channels,)),
            (278, "I", (self.ROWS_PER_STRIP,)),
            (279, "I", tuple(self._counts)),
            (284, "H", (1,)),
        ]
        if header.has_alpha:
            fields.append((338, "H", (2,)))  # transparency that the colours are not multiplied by
        if header.icc:
            fields.append((34675, "B", header.icc))
        entries = b""
        for tag, kind, content in fields:
            numbers = tuple(content)
            data = struct.pack(f"<{len(numbers)}{kind}", *numbers)
            if len(data) > 4:
                at = self._file.tell()
                self._file.write(data + bytes(len(data) % 2))
                data = struct.pack("<I", at)
            entries += struct.pack("<HHI", tag, {"B": 7, "H": 3, "I": 4}[kind], len(numbers)) + data.ljust(4, b"\0")
        at = self._file.tell()
        self._file.write(struct.pack("<H", len(fields)) + entries + bytes(4))
        self._file.seek(4)
        self._file.write(struct.pack("<I", at))


class _Whole:
    """A picture that Pillow writes at the end; its 16 bits become 8."""

    def __init__(self, file: BinaryIO, header: Header, kind: str) -> None:
        self._file, self._header, self._kind = file, header, kind
        self._pixels = np.empty((header.size[1], header.size[0], header.channels), np.uint8)
        self._filled = 0

    def rows(self, values: np.ndarray) -> None:
        if values.dtype == np.uint16:
            values = ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
        self._pixels[self._filled : self._filled + len(values)] = values
        self._filled += len(values)

    def end(self) -> None:
        header = self._header
        pixels = self._pixels[..., 0] if header.channels == 1 else self._pixels
        image = Image.fromarray(pixels)
        options: dict[str, object] = {"quality": header.quality}
        if self._kind == "JPEG":
            options["subsampling"] = 0
        elif header.quality == 100:
            options["lossless"] = True
        for name in ("icc", "exif"):
            if value := getattr(header, name):
                options[{"icc": "icc_profile"}.get(name, name)] = value
        data = io.BytesIO()
        image.save(data, self._kind, **options)
        self._file.write(data.getbuffer())


def _jpeg(file: BinaryIO, header: Header) -> RowWriter:
    return _Whole(file, header, "JPEG")


def _webp(file: BinaryIO, header: Header) -> RowWriter:
    return _Whole(file, header, "WebP")


WRITERS: dict[str, Callable[[BinaryIO, Header], RowWriter]] = {
    ".png": _Png,
    ".tif": _Tiff,
    ".tiff": _Tiff,
    ".jpg": _jpeg,
    ".jpeg": _jpeg,
    ".webp": _webp,
}
_KINDS = {".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WebP"}


def check_suffix(path: Path) -> None:
    """Raises: UserError: the suffix of ``path`` is none that can be written."""
    if path.suffix.lower() not in WRITERS:
        raise UserError(
            f"output must end in {', '.join(WRITERS)}, got {escaped_name(path.name)!r}; choose one of these"
        )


def check_header(path: Path, header: Header) -> None:
    """Raises: UserError: the file format of ``path`` cannot hold such a picture."""
    kind = _KINDS.get(path.suffix.lower())
    if kind == "JPEG" and header.has_alpha:
        raise UserError(f"a picture with transparency cannot be a JPEG, got {escaped_name(path)}; write .png or .webp")
    if kind is not None and max(header.size) > LONGEST_SIDE[kind]:
        width, height = header.size
        raise UserError(
            f"sides of a {kind} must be at most {LONGEST_SIDE[kind]} px, got {width}x{height}; write .png or .tif"
        )


def held_bytes(path: Path, header: Header) -> int:
    """What a picture of ``header`` takes in memory until it is written: nothing where rows are written as they come."""
    if path.suffix.lower() not in _KINDS:
        return 0
    return header.size[0] * header.size[1] * header.channels * WHOLE_BYTES_PER_VALUE


@contextmanager
def writing(path: Path, header: Header) -> Iterator[RowWriter]:
    """A writer for the picture file ``path``, which is there, complete, after the block, or is as it was.

    Raises:
        UserError: the format cannot hold the picture.
    """
    check_suffix(path)
    check_header(path, header)
    with atomic_file(path) as file:
        writer = WRITERS[path.suffix.lower()](file, header)
        yield writer
        writer.end()
