"""Text files from users (CSV, JSON, lists): read as intended, or refused in one line that says where the problem is.

Spreadsheets save CSV as UTF-8 with or without a byte order mark, or as UTF-16, with any line endings: all are read. For
anything else (another encoding, NUL bytes, a field of a megabyte, an unterminated quote) the error names the line.
"""

from __future__ import annotations

import codecs
import csv
import json
import re
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from space.errors import UserError

LARGEST_BYTES = 64 << 20  # no table or list that a person writes is larger; a disk image is
LONGEST_FIELD = 10_000  # characters
_MARKS = (  # UTF-32 first: its mark begins with UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROL = re.compile("[\x01-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")  # the tab may stand there


def read_file(path: Path, what: str, largest_bytes: int = LARGEST_BYTES) -> bytes:
    """The bytes of a regular file; error messages start with ``what``, such as "latency table".

    Raises:
        UserError: the file is missing, unreadable, larger than ``largest_bytes``, or not a regular file: a pipe or a
            device might never end.
    """
    try:
        about = path.stat()
        if stat.S_ISDIR(about.st_mode):
            raise UserError(f"{what} must be a file, got the folder {path}; give a file inside it")
        if not stat.S_ISREG(about.st_mode):
            raise UserError(f"{what} must be a file, got {path}, which is a pipe, a socket or a device")
        if about.st_size > largest_bytes:
            raise UserError(
                f"{what} must be a file of at most {largest_bytes >> 20} MB, got {path} with {about.st_size >> 20} MB"
            )
        return path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{what} must be a file, got {path}, which is no file; check the path") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise UserError(f"{what} must be a file that can be read, got {path}: {_reason(error)}") from None


def decode_text(name: str, data: bytes) -> str:
    """The text of ``data``, the content of the file ``name``, with line endings as ``\\n``.

    Raises:
        UserError: neither UTF-8 nor UTF-16 or UTF-32 with a byte order mark, or not text; names the line.
    """
    encoding = next((encoding for mark, encoding in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{name}, line {line}: must be text in UTF-8 or UTF-16, got the byte 0x{data[error.start]:02x}; save it "
            "as UTF-8"
        ) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise UserError(f"{name}, line {line}: must be text, got a NUL byte; save it as UTF-8")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def csv_rows(name: str, data: bytes, comment: str | None = None) -> list[tuple[int, list[str]]]:
    """Line number and fields of every non-empty row of a CSV file; lines that start with ``comment`` are skipped.

    Raises:
        UserError: as ``decode_text``; or an unterminated quote, a control character, a field that is too long.
    """
    lines = decode_text(name, data).split("\n")
    if comment is not None:
        lines = ["" if line.startswith(comment) else line for line in lines]
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        control = _CONTROL.search(line)
        if control:
            raise UserError(f"{name}, line {number}: must hold printable text, got {control[0]!r}; remove it")
        try:
            fields = next(csv.reader([line], strict=True))
        except csv.Error as error:
            raise UserError(f"{name}, line {number}: must be comma-separated values, got: {error}") from None
        longest = max(map(len, fields), default=0)
        if longest > LONGEST_FIELD:
            raise UserError(
                f"{name}, line {number}: a field must have at most {LONGEST_FIELD:,} characters, got {longest:,}"
            )
        if any(field.strip() for field in fields):
            rows.append((number, fields))
    return rows


def csv_table(
    name: str, data: bytes, columns: Sequence[str], comment: str | None = None
) -> list[tuple[int, dict[str, str]]]:
    """Line number and fields by column of every row below a header with at least ``columns``.

    Raises:
        UserError: as ``csv_rows``; or a column is missing or repeated, or a row has more or fewer fields than the
            header. Names the line.
    """
    rows = csv_rows(name, data, comment)
    if not rows:
        raise UserError(f"{name}, line 1: must have the columns {', '.join(columns)}, got an empty file")
    (first, header), *body = rows
    header = [field.strip() for field in header]
    missing = [column for column in columns if column not in header]
    if missing:
        separator = next((mark for mark in ";\t|" if len(header) == 1 and mark in header[0]), None)
        remedy = f"; separate them by commas, not by {separator!r}" if separator else ""
        raise UserError(
            f"{name}, line {first}: must have the columns {', '.join(columns)}, got no {', '.join(missing)}{remedy}"
        )
    twice = next((column for column in header if column and header.count(column) > 1), None)
    if twice is not None:
        raise UserError(f"{name}, line {first}: must have every column once, got {twice} again")
    table = []
    for line, fields in body:
        if len(fields) != len(header):
            raise UserError(f"{name}, line {line}: must have {len(header)} fields, got {len(fields)}")
        table.append((line, dict(zip(header, fields, strict=True))))
    return table


def json_object(name: str, data: bytes, keys: Sequence[str]) -> Mapping[str, Any]:
    """The JSON object in ``data``, with a non-empty value for each of ``keys``.

    Raises:
        UserError: not text, not a JSON object, or a key is missing or empty.
    """
    wanted = f"a JSON object with {', '.join(keys)}"
    try:
        value = json.loads(decode_text(name, data))
    except UserError:
        raise
    except (ValueError, RecursionError) as error:
        reason = "too many brackets inside each other" if isinstance(error, RecursionError) else error
        raise UserError(f"{name} must be {wanted}, got: {reason}") from None
    if not isinstance(value, dict):
        raise UserError(f"{name} must be {wanted}, got {type(value).__name__}")
    missing = [key for key in keys if not value.get(key)]
    if missing:
        raise UserError(f"{name} must say {', '.join(keys)}, got no {', '.join(missing)}")
    return value


def shortened(text: str, most: int = 200) -> str:
    """``text`` as quoted in a message: a long text is cut to its beginning and its length."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)"


def _reason(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error)
