"""Text for a terminal: input from users and devices is printed as text and cannot control the terminal.

A character that a stream cannot encode (ASCII, Latin-1, file names that are not UTF-8) is replaced by its closest plain
form instead of ending the program.
"""

from __future__ import annotations

import codecs
import io
import os
import sys
import unicodedata
from collections.abc import Iterable
from typing import IO, TextIO

LONGEST_MESSAGE = 1000  # characters: what fits on a small terminal, 80 columns by 12 lines
PLAIN = "litefront-plain"  # the name of the error handler of streams
NOT_SHOWN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})  # Unicode categories
IN_ASCII = {
    "–": "-",
    "—": "-",
    "−": "-",
    "…": "...",
    "±": "+-",
    "×": "x",
    "·": ".",
    "•": "*",
    "°": "deg",
    "≈": "~",
    "≤": "<=",
    "≥": ">=",
    "→": "->",
    "←": "<-",
    "σ": "sigma",
    "µ": "u",
    "μ": "u",
    "√": "sqrt",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
    "²": "2",
    "³": "3",
    "½": "1/2",
    "─": "-",
    "━": "-",
    "│": "|",
    "┃": "|",
    "█": "#",
    "░": ".",
    "✓": "yes",
    "✗": "no",
    "\N{NO-BREAK SPACE}": " ",
}


def escape_controls(text: str, keep: str = "") -> str:
    """Escape control characters, line endings, bidirectional marks and lone surrogates in ``text``.

    Characters in ``keep`` are left as they are.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        each if each in keep or unicodedata.category(each) not in NOT_SHOWN else _escape(each) for each in text
    )


def shortened(text: str, most: int = LONGEST_MESSAGE) -> str:
    """``text`` cut to ``most`` characters: keeps the beginning, and the end, where a message states the remedy."""
    if len(text) <= most:
        return text
    end = most // 3
    return f"{text[: most - end - 5]} ... {text[-end:]}"


def message(text: str) -> str:
    """One line of bounded length without control characters."""
    return shortened(
        escape_controls(" ".join(line.strip() for line in text.splitlines() if line.strip()) or text.strip())
    )


def print_error(text: object) -> None:
    """``error: ...``, one line on standard error."""
    print(f"error: {message(str(text))}", file=sys.stderr)


def print_note(text: object) -> None:
    """``note: ...``, one line on standard error: the request is carried out in another way."""
    print(f"note: {message(str(text))}", file=sys.stderr)


def prepare_streams() -> None:
    """Make standard output and error accept any text, as far as their encoding allows."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors != PLAIN:
            stream.reconfigure(errors=PLAIN)


def flush_or_drop(streams: Iterable[TextIO | None] = ()) -> bool:
    """Flush the buffer; False if the reader is gone (``| head``); later output is then dropped."""
    whole = True
    for stream in streams or (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except BrokenPipeError:
            whole = False
            assert stream is not None
            drop(stream)
    return whole


def drop(stream: IO[str]) -> None:
    """Discard further output to ``stream``: its reader is gone, and Python would complain at exit."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    except (OSError, ValueError):  # a stream without a file
        pass


def _escape(character: str) -> str:
    code = ord(character)
    short = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(character)
    return short or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")


def _plain(error: UnicodeError) -> tuple[str, int]:
    """A codec's error handler: what an encoding lacks in ASCII, with accents taken off, else as an escape."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    written = []
    for character in error.object[error.start : error.end]:
        known = IN_ASCII.get(character)
        if known is None:
            known = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
        if not known and "BOX DRAWINGS" in unicodedata.name(character, ""):
            known = "+"
        written.append(known or _escape(character))
    return "".join(written), error.end


codecs.register_error(PLAIN, _plain)
