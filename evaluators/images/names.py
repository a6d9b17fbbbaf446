"""Names of files as they can be printed, stored and compared everywhere."""

from __future__ import annotations

import os
import re

# Control characters, ends of lines and paragraphs, and those that turn the direction of what follows.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def escaped_name(name: str | os.PathLike[str]) -> str:
    """``name`` with every byte that is not UTF-8, and every control character, as an escape: ``caf\\xe9.png``.

    Linux allows any bytes in a name. Python hands those that are no UTF-8 on as lone surrogates, which can be neither
    printed nor written into a record.
    """
    try:
        data = os.fspath(name).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # other lone surrogates: from a record, not from a file system
        data = os.fspath(name).encode("utf-8", "backslashreplace")
    text = data.decode("utf-8", "backslashreplace")
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)
