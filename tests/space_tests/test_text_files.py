"""Files that a spreadsheet, an editor or an accident wrote: read as meant, or one line that says where they break."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from space.errors import UserError
from space.text_files import LONGEST_FIELD, csv_rows, csv_table, json_object, read_file, shortened

TABLE = "name,ms\nMönch,1\n"
SAVED = {
    "UTF-8": TABLE.encode(),
    "UTF-8 with a mark": TABLE.encode("utf-8-sig"),
    "UTF-16": TABLE.encode("utf-16"),
    "UTF-16, other order": b"\xfe\xff" + TABLE.encode("utf-16-be"),
    "UTF-32": TABLE.encode("utf-32"),
    "ends of Windows": TABLE.replace("\n", "\r\n").encode(),
    "ends of old Macs": TABLE.replace("\n", "\r").encode(),
    "no last end": TABLE.rstrip().encode(),
    "empty lines": b"\n\n" + TABLE.encode() + b"\n,\n \n",
    "spaces in the header": TABLE.replace(",", " , ", 1).encode(),
}


@pytest.mark.parametrize("how", SAVED)
def test_every_way_of_saving_a_table_is_read(how: str) -> None:
    (only,) = csv_table("t.csv", SAVED[how], ("name", "ms"))
    assert only[1] == {"name": "Mönch", "ms": "1"}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (TABLE.encode("latin-1"), r"^t.csv, line 2: must be text in UTF-8 or UTF-16, got the byte 0xf6; save it"),
        (b"n\0a\0m\0e\0\n\0", r"^t.csv, line 1: must be text, got a NUL byte"),
        (b"name,ms\na,1\nb,\x002\n", r"^t.csv, line 3: must be text, got a NUL byte"),
        (b"name,ms\na,\x1b[31m\n", r"^t.csv, line 2: must hold printable text, got '\\x1b'"),
        (b"name,ms\n" + b"a" * (1 << 20) + b",1\n", r"^t.csv, line 2: must be comma-separated .* field limit"),
        (b"name,ms\n" + b"a" * (LONGEST_FIELD + 1) + b",1\n", r"^t.csv, line 2: .* at most 10,000 .* got 10,001"),
        (b'name,ms\n"a,1\nb,2\n', r"^t.csv, line 2: must be comma-separated values, got: unexpected end"),
        (b"name,ms\na\n", r"^t.csv, line 2: must have 2 fields, got 1"),
        (b"name,ms\na,1,2\n", r"^t.csv, line 2: must have 2 fields, got 3"),
        (b"name;ms\na;1\n", r"^t.csv, line 1: .* got no name, ms; separate them by commas, not by ';'"),
        (b"\nname,name,ms\n", r"^t.csv, line 2: must have every column once, got name again"),
        (b"", r"^t.csv, line 1: must have the columns name, ms, got an empty file"),
        (b"\xef\xbb\xbf", r"an empty file"),
        (bytes(range(256)), r"^t.csv, line 2: must be text in UTF-8"),
    ],
)
def test_what_is_no_table_is_one_line_that_says_where(data: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        csv_table("t.csv", data, ("name", "ms"))
    assert "\n" not in str(caught.value)


def test_comments_keep_the_numbers_of_lines() -> None:
    assert csv_rows("q.csv", b'# one, "two\na,b\n\n#,"\nc,d\n', comment="#") == [(2, ["a", "b"]), (5, ["c", "d"])]


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"null", b"{", b'"x"', b"[" * 100_000, b"\xff", b'{"a": 1}', b'{"a": 1, "b": ""}', b"9" * 5000]
)
def test_what_is_no_json_object_is_one_line(data: bytes) -> None:
    with pytest.raises(UserError, match=r"^p.json") as caught:
        json_object("p.json", data, ("a", "b"))
    assert "\n" not in str(caught.value)


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "large").write_bytes(bytes(2 << 20))
    refused = {
        tmp_path: "got the folder",
        tmp_path / "pipe": "a pipe, a socket or a device",
        Path("/dev/zero"): "a pipe, a socket or a device",
        tmp_path / "loop": "symbolic links",
        tmp_path / "none": "which is no file; check the path",
        tmp_path / ("x" * 5000): "too long",
        Path("a\0b"): "null",
        tmp_path / "large": "at most 1 MB, got .* with 2 MB",
    }
    for path, message in refused.items():
        with pytest.raises(UserError, match=rf"^list must be a file.*{message}"):
            read_file(path, "list", 1 << 20)


def test_a_long_value_is_quoted_by_its_beginning() -> None:
    assert shortened("abc") == "abc"
    assert shortened("x" * 1000, 3) == "xxx… (1,000 characters)"
