"""Text of users and of file systems, made fit for a file of UTF-8."""

from __future__ import annotations

import re

_UNFIT = re.compile("[\ud800-\udfff\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def replace_invalid(text: str) -> str:
    """``text`` with replacement characters for what UTF-8 or a page cannot hold.

    Bytes of a file's name that are not UTF-8 come as lone surrogates; control characters come from anywhere.
    """
    return _UNFIT.sub("\N{REPLACEMENT CHARACTER}", text)
