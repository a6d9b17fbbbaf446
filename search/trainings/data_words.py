"""Words for data: ``embedded``, or a folder: ``BSDS500_train``, ``photos_cc:2`` (reduced by 2),
``BSDS500_train!302003`` (without that picture), ``B100/HR@B100/cbsd68.txt`` (those of a list).

A folder is looked for below one root, so that a queue says the same on every machine.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from evaluators import data
from evaluators.data import Picture
from evaluators.images.folders import NamedImage
from evaluators.images.overlap import shared_picture
from evaluators.images.resize import downscale
from evaluators.tasks import TaskRules
from space.errors import UserError

EMBEDDED = "embedded"
_WORD = re.compile(r"(?P<folder>[^:@!]+)(?::(?P<factor>[2-8]))?(?:@(?P<list>[^:@!]+))?(?:!(?P<without>[^:@]+))?")


def pictures(word: str, root: Path | None, rules: TaskRules, validates: bool) -> tuple[Picture, ...]:
    """The pictures that ``word`` means, to measure on if ``validates``, else to train on.

    Raises:
        UserError: a word that cannot be read, a folder without a root, a missing folder, list or picture.
    """
    load = data.validation_images if validates else data.training_images
    if word == EMBEDDED:
        return load(None, rules)
    match = _WORD.fullmatch(word)
    if match is None:
        raise UserError(
            f"data must be {EMBEDDED} or FOLDER, with :2 to :8 (reduced), @LIST (those of a file) or !NAME (without "
            f"it), got {word!r}"
        )
    folder = path_below(match["folder"], root)
    found = load(folder, rules)
    if match["list"]:
        found = _listed(found, path_below(match["list"], root))
    for name in match["without"].split("!") if match["without"] else ():
        if not any(Path(picture.name).stem == name for picture in found):
            raise UserError(f"what is left out must be a picture of its folder, got {name!r} in {word!r}")
        found = tuple(picture for picture in found if Path(picture.name).stem != name)
    if match["factor"]:
        found = tuple(_reduced(picture, int(match["factor"]), word) for picture in found)
    return found


def describe(word: str, root: Path | None, found: Sequence[Picture], rules: TaskRules, validates: bool) -> str:
    """``word`` with the number of its pictures and the fingerprint of their pixels."""
    folder = None if word == EMBEDDED else path_below(_WORD.fullmatch(word)["folder"], root)
    return f"{word}: {data.describe(folder, found, rules, validates)}"


def check_apart(train: dict[str, Sequence[Picture]], test: dict[str, Sequence[Picture]]) -> None:
    """Refuse to train on what is measured on, whatever the files are called.

    Raises:
        UserError: names the first picture that two sets share.
    """
    for train_word, train_pictures in train.items():
        for test_word, test_pictures in test.items():
            shared = shared_picture(train_pictures, test_pictures)
            if shared is not None:
                raise UserError(
                    f"training data must not hold pictures of a test set, got {shared[0]} of {train_word}, which shows "
                    f"what {shared[1]} of {test_word} shows; leave it out with {train_word}!{Path(shared[0]).stem}"
                )


def path_below(text: str, root: Path | None) -> Path:
    """``text`` below ``root``.

    Raises:
        UserError: there is no root, or ``text`` leads out of it.
    """
    if root is None:
        raise UserError(f"data {text!r} must lie below --data, got none; give --data FOLDER")
    if PurePosixPath(text).is_absolute() or ".." in PurePosixPath(text).parts:
        raise UserError(f"data must be named by a path below --data, got {text!r}")
    return root / text


def _listed(found: Sequence[Picture], path: Path) -> tuple[Picture, ...]:
    if not path.is_file():
        raise UserError(f"a list of pictures must be a file with a name a line, got {path}; check the path")
    by_stem = {Path(picture.name).stem: picture for picture in found}
    names = path.read_text("utf-8").split()
    missing = [name for name in names if name not in by_stem]
    if missing or not names:
        raise UserError(f"every name in {path} must be a picture of its folder, got {missing[:1] or 'an empty list'}")
    return tuple(by_stem[name] for name in names)


def _reduced(picture: Picture, factor: int, word: str) -> NamedImage:
    if not isinstance(picture, NamedImage):
        raise UserError(f"only folders of single pictures can be reduced, got pairs in {word!r}")
    return replace(picture, pixels=downscale(picture.pixels, factor))
