"""Text on its way to a terminal: what users and devices supply is text, and never controls the terminal.

Streams that cannot write a character (ASCII, Latin-1, names that are not UTF-8) get the nearest plain form, instead of
ending the program.
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
    """``text`` with control characters, line ends, marks of writing direction and lone surrogates written as escapes.

    Characters of ``keep`` stay as they are.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        each if each in keep or unicodedata.category(each) not in NOT_SHOWN else _escape(each) for each in text
    )


def shortened(text: str, most: int = LONGEST_MESSAGE) -> str:
    """``text`` of at most ``most`` characters: of a longer one the beginning and the end, which says what to do."""
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
    """``note: ...``, one line on standard error: what was asked for is done otherwise."""
    print(f"note: {message(str(text))}", file=sys.stderr)


def prepare_streams() -> None:
    """Standard output and error write every text, as far as their encoding allows."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors != PLAIN:
            stream.reconfigure(errors=PLAIN)


def flush_or_drop(streams: Iterable[TextIO | None] = ()) -> bool:
    """Write out what is buffered; False where nobody reads it any longer (``| head``): from then on it is dropped."""
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
    """What is written to ``stream`` from now on goes nowhere: its reader is gone, and Python would complain at exit."""
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
