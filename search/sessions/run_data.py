"""The pictures of a session: read once, judged before anything trains, written where every worker finds them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluators import data
from evaluators.data import Picture
from evaluators.images.overlap import shared_picture
from evaluators.images.pair_folders import NamedPair
from evaluators.tasks import Pair
from search.request.request import Request
from search.workers.jobs import PAIRS_FILE, POOL_FOLDER
from space.errors import UserError
from space.knobs import SPECIALISTS


@dataclass(frozen=True)
class RunData:
    """Pictures to train on, to measure on, and real ``frames`` to be looked at."""

    request: Request
    train: Sequence[Picture]
    val: Sequence[Picture]
    frames: tuple[Pair, ...]

    def described(self) -> dict[str, Any]:
        """What a run's settings say of its data, by the names of their fields.

        Raises:
            UserError: more networks are to share the noise levels than these pictures allow.
        """
        request = self.request
        return {
            "train_data": data.describe(request.train_folder, self.train, request.rules),
            "val_data": data.describe(request.val_folder, self.val, request.rules, validates=True),
            "specialists": self._specialists(),
            "overlap": self._overlap(),
        }

    def write(self, folder: Path) -> tuple[Pair, ...]:
        """Write pool and validation pairs to ``folder``, which every worker maps them from; returns the pairs."""
        folder.mkdir(exist_ok=True)
        data.training_pool(self.train, self.request.rules).save(folder / POOL_FOLDER)
        pairs = data.validation_pairs(self.val, self.request.rules)
        data.save_pairs(folder / PAIRS_FILE, pairs)
        return pairs

    def _overlap(self) -> str:
        """In words, a picture that is measured on and was trained on; the embedded photographs share none."""
        if self.request.train_folder is None and self.request.val_folder is None:
            return ""
        shared = shared_picture(self.train, self.val)
        if shared is None:
            return ""
        return f"training has seen it: {shared[0]} shows what {shared[1]} of the validation pictures shows"

    def _specialists(self) -> int:
        """The most networks that may share the range of noise levels; 1 where there is none, or no level is known."""
        asked, most, rules = self.request.specialists, max(map(int, SPECIALISTS.values)), self.request.rules
        if not rules.degrade.divided(1):
            most, why = 1, f"{rules.title} has no range of noise levels"
        elif any(isinstance(picture, NamedPair) for picture in (self.train[0], self.val[0])):
            most, why = 1, "the noise level of pairs in a folder is not known"
        else:
            why = "more are not searched"
        if asked is not None and asked > most:
            raise UserError(f"--specialists must be at most {most}, for {why}; got {asked}")
        return asked or most


def read_data(request: Request) -> RunData:
    """Read all pictures that the request names.

    Raises:
        UserError: a folder that cannot be used, or pictures that cannot be measured on.
    """
    train = data.training_images(request.train_folder, request.rules)
    val = data.validation_images(request.val_folder, request.rules)
    data.check_measurable(val, request.val_folder, request.rules)
    return RunData(request, train, val, data.frame_pairs(request.frames_folder, request.rules))
