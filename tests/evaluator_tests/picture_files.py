"""PNG and TIFF files written byte by byte, because Pillow writes only some of the ways in which pixels are stored."""

from __future__ import annotations

import struct
import zlib

import numpy as np

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6  # colour types of PNG
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
NONE, LZW, DEFLATE, PACKBITS = 1, 5, 8, 32773  # compressions of TIFF
ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


def packed(values: np.ndarray, bits: int, order: str = ">") -> bytes:
    """`(H, n)` values of ``bits`` each, every row on a whole byte."""
    if bits >= 8:
        return values.astype(f"{order}u{bits // 8}").tobytes()
    spread = (values[..., None] >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(spread.reshape(len(values), -1).astype(np.uint8), axis=1).tobytes()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    values: np.ndarray, bits: int, colour_type: int, interlaced: bool = False, before: bytes = b"", after: bytes = b""
) -> bytes:
    """``values`` `(H, W, C)`; ``before`` and ``after`` are chunks around the pixels. Rows are filtered by Sub."""
    height, width = values.shape[:2]
    passes = ADAM7 if interlaced else ((0, 0, 1, 1),)
    step = max(1, bits * CHANNELS[colour_type] // 8)
    rows = b""
    for top, left, down, right in passes:
        part = values[top::down, left::right]
        for row in part if part.size else ():
            data = np.frombuffer(packed(row.reshape(1, -1), bits), np.uint8)
            shifted = np.concatenate([np.zeros(step, np.uint8), data])[: len(data)]
            rows += b"\1" + (data - shifted).astype(np.uint8).tobytes()
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, int(interlaced))
    body = chunk(b"IHDR", header) + before + chunk(b"IDAT", zlib.compress(rows)) + after + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def tiff(
    values: np.ndarray,
    bits: int,
    colours: int,
    order: str = "<",
    planar: bool = False,
    compression: int = NONE,
    predictor: bool = False,
    strip_rows: int | None = None,
    tile_px: int | None = None,
    tags: dict[int, tuple[int, ...]] | None = None,
) -> bytes:
    """``values`` `(H, W, S)` of ``bits`` each; ``tags`` are further ones, of SHORTs."""
    height, width, samples = values.shape
    layers = [values[..., index : index + 1] for index in range(samples)] if planar else [values]
    rows, columns = (tile_px, tile_px) if tile_px else (strip_rows or height, width)
    blocks = []
    for layer in layers:
        for top in range(0, height, rows):
            for left in range(0, width, columns):
                block = layer[top : top + rows, left : left + columns]
                if tile_px:
                    block = np.pad(block, ((0, rows - len(block)), (0, columns - block.shape[1]), (0, 0)))
                if predictor:
                    block = np.diff(block.astype(np.int64), axis=1, prepend=0) % (1 << bits)
                data = packed(block.reshape(len(block), -1), bits, order)
                blocks.append(_compressed(data, compression))
    offsets, at = [], 8
    for block in blocks:
        offsets.append(at)
        at += len(block)
    fields: dict[int, tuple[str, tuple[int, ...]]] = {
        256: ("I", (width,)),
        257: ("I", (height,)),
        258: ("H", (bits,) * samples),
        259: ("H", (compression,)),
        262: ("H", (colours,)),
        277: ("H", (samples,)),
        284: ("H", (2 if planar else 1,)),
    }
    where = {"offsets": 324, "sizes": 325} if tile_px else {"offsets": 273, "sizes": 279}
    fields[where["offsets"]], fields[where["sizes"]] = ("I", tuple(offsets)), ("I", tuple(map(len, blocks)))
    if tile_px:
        fields |= {322: ("I", (tile_px,)), 323: ("I", (tile_px,))}
    else:
        fields[278] = ("I", (rows,))
    if predictor:
        fields[317] = ("H", (2,))
    fields |= {tag: ("H", content) for tag, content in (tags or {}).items()}
    content = b"".join(blocks)
    entries, extra_at = b"", 8 + len(content)
    for tag, (kind, numbers) in sorted(fields.items()):
        data = struct.pack(f"{order}{len(numbers)}{kind}", *numbers)
        if len(data) > 4:
            content += data
            data, extra_at = struct.pack(f"{order}I", extra_at), extra_at + len(data)
        entries += struct.pack(f"{order}HHI", tag, 3 if kind == "H" else 4, len(numbers)) + data.ljust(4, b"\0")
    start = {"<": b"II", ">": b"MM"}[order] + struct.pack(f"{order}HI", 42, 8 + len(content))
    return start + content + struct.pack(f"{order}H", len(fields)) + entries + bytes(4)


def _compressed(data: bytes, compression: int) -> bytes:
    if compression == DEFLATE:
        return zlib.compress(data)
    if compression == PACKBITS:
        parts = (data[at : at + 128] for at in range(0, len(data), 128))
        return b"".join(bytes([len(part) - 1]) + part for part in parts)
    if compression == LZW:
        codes = [256]  # clears so often that all codes keep 9 bits
        for index, byte in enumerate(data):
            codes += [256, byte] if index and index % 200 == 0 else [byte]
        bits = "".join(f"{code:09b}" for code in [*codes, 257])
        bits += "0" * (-len(bits) % 8)
        return int(bits, 2).to_bytes(len(bits) // 8, "big")
    return data
