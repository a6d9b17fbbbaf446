"""Specs of data: ``embedded``, or a folder: ``BSDS500_train``, ``photos_cc:2`` (reduced by 2),
``BSDS500_train!302003`` (without that picture), ``B100/HR@B100/cbsd68.txt`` (those of a list).

A folder is looked for below one root, so that a queue says the same on every machine.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from evaluators import data
from evaluators.data import Picture
from evaluators.images.folders import NamedImage
from evaluators.images.lists import listed, names_by_stem
from evaluators.images.names import escaped_name
from evaluators.images.overlap import shared_picture
from evaluators.images.resize import downscale
from evaluators.tasks import TaskRules
from space.errors import UserError

EMBEDDED = "embedded"


class Place(Enum):
    """Where the folders of specs lie, if not below one root."""

    ANYWHERE = "anywhere"  # as the text says, from the folder that the command runs in


Root: TypeAlias = Path | Place | None
_BELOW = re.compile(r"(?P<folder>[^:@!]+)(?::(?P<factor>[2-8]))?(?:@(?P<list>[^:@!]+))?(?:!(?P<without>[^:@]+))?")
_ANYWHERE = re.compile(r"(?P<folder>.+?)(?::(?P<factor>[2-8]))?(?:@(?P<list>[^@!]+))?(?:!(?P<without>[^:@]+))?")


@dataclass(frozen=True)
class DataSpec:
    """Which pictures are meant: those of ``folder``, or of ``listed`` in it, ``without`` some, reduced by ``factor``.

    ``text`` is how messages call it. Without a folder the embedded photographs are meant.
    """

    text: str
    folder: Path | None
    factor: int = 1
    listed: Path | None = None
    without: tuple[str, ...] = ()

    def pictures(self, rules: TaskRules, validates: bool) -> tuple[Picture, ...]:
        """To measure on if ``validates``, else to train on.

        Raises:
            UserError: a missing folder, list or picture, or one that cannot be used.
        """
        found = (data.validation_images if validates else data.training_images)(self.folder, rules)
        if self.listed is not None:
            found = listed(found, self.listed)
        for name in self.without:
            left_out = [name] if any(each.name == name for each in found) else names_by_stem(found).get(name, [])
            if not left_out:
                raise UserError(f"what is left out must be a picture of its folder, got {name!r} in {self.text!r}")
            found = tuple(picture for picture in found if picture.name not in left_out)
        if not found:
            raise UserError(f"data must hold pictures, got none that are left in {self.text!r}")
        if self.factor > 1:
            found = tuple(_reduced(picture, self.factor, self.text) for picture in found)
        if validates:
            data.check_measurable(found, self.text, rules)
        return found

    def describe(self, found: Sequence[Picture], rules: TaskRules, validates: bool) -> str:
        """What it holds, as a record says it."""
        described = data.describe(self.folder, found, rules, validates)
        return described if self.folder is None or self.is_whole else f"{self.text}: {described}"

    @property
    def is_whole(self) -> bool:
        """Whether it means a folder as it is."""
        return self.factor == 1 and self.listed is None and not self.without


def _spec_below(spec: str, root: Root) -> DataSpec:
    """What ``spec`` means, with folders below ``root``, or anywhere.

    Raises:
        UserError: a spec that cannot be read, a folder without a root or one that leads out of it.
    """
    if isinstance(root, Place):
        return spec_anywhere(spec)
    if spec == EMBEDDED:
        return DataSpec(spec, None)
    match = _BELOW.fullmatch(spec)
    if match is None:
        raise _unreadable(spec)
    return _spec(match, _path_below(match["folder"], root), _path_below(match["list"], root) if match["list"] else None)


def spec_anywhere(text: str | None) -> DataSpec:
    """What ``--data`` of a command means that measures once: FOLDER, or FOLDER@LIST, wherever they are.

    A folder that is called so is meant as it is, whatever signs its name holds. None: the embedded photographs.
    """
    if text is None or (text == EMBEDDED and not Path(text).exists()):
        return DataSpec(EMBEDDED, None)
    if Path(text).is_dir():
        return DataSpec(text, Path(text))
    match = _ANYWHERE.fullmatch(text)
    if match is None:
        raise _unreadable(text)
    return _spec(match, Path(match["folder"]), Path(match["list"]) if match["list"] else None)


def _spec(match: re.Match[str], folder: Path, chosen: Path | None) -> DataSpec:
    without = tuple(match["without"].split("!")) if match["without"] else ()
    return DataSpec(escaped_name(match[0]), folder, int(match["factor"] or 1), chosen or None, without)


def _unreadable(spec: str) -> UserError:
    return UserError(
        f"data must be {EMBEDDED} or FOLDER, with :2 to :8 (reduced), @LIST (those of a file) or !NAME (without it), "
        f"got {spec!r}"
    )


def pictures(spec: str, root: Root, rules: TaskRules, validates: bool) -> tuple[Picture, ...]:
    """The pictures that ``spec`` means, to measure on if ``validates``, else to train on.

    Raises:
        UserError: a spec that cannot be read, a folder without a root, a missing folder, list or picture.
    """
    return _spec_below(spec, root).pictures(rules, validates)


def describe(spec: str, root: Root, found: Sequence[Picture], rules: TaskRules, validates: bool) -> str:
    """``spec`` with the number of its pictures and the fingerprint of their pixels."""
    return f"{spec}: {data.describe(_spec_below(spec, root).folder, found, rules, validates)}"


def check_apart(train: Mapping[str, Sequence[Picture]], test: Mapping[str, Sequence[Picture]]) -> None:
    """Refuse to train on what is measured on, whatever the files are called.

    Raises:
        UserError: names the first picture that two sets share.
    """
    for train_spec, train_pictures in train.items():
        for test_spec, test_pictures in test.items():
            shared = shared_picture(train_pictures, test_pictures)
            if shared is not None:
                raise UserError(
                    f"training data must not hold pictures of a test set, got {shared[0]} of {train_spec}, which shows "
                    f"what {shared[1]} of {test_spec} shows; leave it out with {train_spec}!{Path(shared[0]).stem}"
                )


def _path_below(text: str, root: Path | None) -> Path:
    """``text`` below ``root``.

    Raises:
        UserError: there is no root, or ``text`` leads out of it.
    """
    if root is None:
        raise UserError(f"data {text!r} must lie below --data, got none; give --data FOLDER")
    if PurePosixPath(text).is_absolute() or ".." in PurePosixPath(text).parts:
        raise UserError(f"data must be named by a path below --data, got {text!r}")
    return root / text


def _reduced(picture: Picture, factor: int, spec: str) -> NamedImage:
    if not isinstance(picture, NamedImage):
        raise UserError(f"only folders of single pictures can be reduced, got pairs in {spec!r}")
    return replace(picture, pixels=downscale(picture.pixels, factor))
