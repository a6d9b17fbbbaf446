"""What a task is between a photograph and a number: degradation, network input, loss, metric, pictures."""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from evaluators.images.bayer_frames import Frame
from evaluators.images.folders import NamedImage
from evaluators.images.metrics import psnr
from evaluators.images.pair_folders import NamedPair
from evaluators.training.plan import TrainingPlan
from space.architecture import IOShape
from space.errors import UserError
from space.tasks import TASKS

TRAINING, VALIDATION = "training", "validation"


@dataclass(frozen=True)
class Pair:
    """One validation picture.

    ``low`` `(h, w, C)` is the degraded input and ``high`` `(scale h, scale w, c)` the target, uint8 or float32; what
    the values mean is the task's (``TaskRules``). ``grey`` says that the file had a single channel. ``display`` holds
    numbers that the task needs to show the picture, none for most. ``level`` is the place of the noise level in the
    range of levels, from 0 to 1; NaN where it is not known.
    """

    name: str
    low: np.ndarray
    high: np.ndarray
    grey: bool = False
    display: np.ndarray = field(default_factory=lambda: np.empty(0))
    level: float = math.nan


@dataclass(frozen=True)
class TaskRules(ABC):
    """One task with its options; a frozen value that is written into every record.

    A *stored* image is what the patch pool holds: uint8 or uint16 `(h, w, C)`. An *output* is what a method gives and
    a metric takes: uint8 or float32 `(H, W, c)`.
    """

    scale: int = 1
    channels: str = ""  # a word of the task's ``channels``; its default if empty
    given: frozenset[str] = field(default=frozenset(), kw_only=True)  # which of TRAINING and VALIDATION are pairs

    task: ClassVar[str]
    baseline_name: ClassVar[str]  # "bicubic", "noisy input": what the gain is counted from
    layout: ClassVar[str] = "image"  # or "bayer": which symmetries a training patch may be turned by
    option_readers: ClassVar[Mapping[str, Callable[[str], Any]]] = {}  # of ``Task.options``, which are fields here

    def __post_init__(self) -> None:
        if not self.channels:
            object.__setattr__(self, "channels", TASKS[self.task].default_channels)
        _ = self.shape  # refuses a wrong scale and wrong channels

    @property
    def shape(self) -> IOShape:
        return TASKS[self.task].shape(self.scale, self.channels)

    @property
    def options(self) -> dict[str, Any]:
        """Everything but the scale and ``given``, as JSON knows it."""
        names = (each.name for each in fields(self) if each.name not in ("scale", "given"))
        values = {name: getattr(self, name) for name in names}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    @property
    @abstractmethod
    def title(self) -> str:
        """The task and what of its options matters, in few words: ``sr ×4``, ``denoise σ 25``."""

    @property
    @abstractmethod
    def metric_name(self) -> str:
        """What the PSNR is of, as an axis says it: ``PSNR on Y``."""

    @property
    def metric_rule(self) -> str:
        """All that is needed to repeat it, as a caption says it: ``PSNR on Y, 4 px shaved``."""
        return self.metric_name

    @property
    def published_set(self) -> str:
        """The data set whose published results are drawn beside a run; none are if it is empty."""
        return ""

    @property
    def published_level(self) -> str | None:
        """``level`` of the published results (``space.zoo.literature``) that are of this task; None if none are."""
        return ""

    @property
    def baseline_in_words(self) -> str:
        """The baseline inside a sentence: ``the noisy input``."""
        return f"the {self.baseline_name}"

    @property
    def plan(self) -> TrainingPlan:
        """How candidates of this task are trained."""
        return TrainingPlan()

    @property
    def pixels_per_patch_pixel(self) -> int:
        """Pixels of a photograph along the side of a patch's input pixel: the scale, or 2 of a Bayer sensor."""
        return self.scale

    @property
    def embedded_side_px(self) -> int:
        """To how much the halved embedded photographs are cut for measuring, where the size stays."""
        return 192

    @property
    def margin_px(self) -> int:
        """The most that degradation cuts from each edge of a photograph."""
        return 0

    @property
    def has_pairs(self) -> bool:
        """Whether folders of degraded and clean pictures can be given."""
        return False

    def of_pairs(self, training: bool, validation: bool) -> TaskRules:
        """These rules with what is known of the data: to pictures that come as pairs no degradation is added.

        It changes words only: titles, notes, and which published results are comparable.
        """
        return replace(self, given=frozenset((TRAINING,) * training + (VALIDATION,) * validation))

    def _degradation(self, made: str) -> str:
        """``made``, what is done to clean pictures; or that theirs is not known, where they come as pairs."""
        if self.given == {TRAINING, VALIDATION}:
            return "of given pairs"
        if VALIDATION in self.given:
            return f"of given pairs, trained with {made}"
        return f"{made}, trained on given pairs" if TRAINING in self.given else made

    def divided(self, count: int) -> tuple[TaskRules, ...]:
        """These rules for each of ``count`` parts of the range of noise levels, from the lowest up.

        The parts are of equal width where ``Pair.level`` is counted. () without such a range.
        """
        return ()

    # Training.

    @abstractmethod
    def stored(self, image: NamedImage) -> tuple[np.ndarray | None, np.ndarray]:
        """Degraded and clean picture for the patch pool; None where patches are degraded when they are drawn."""

    def finish_patches(self, low: Tensor, high: Tensor, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Network input and target from drawn patches `(N, C, h, w)` in [0, 1].

        ``low`` is ``high`` where no degraded picture was stored.
        """
        return low, high

    def loss(self, output: Tensor, target: Tensor, low: Tensor) -> Tensor:
        """What training makes small; ``low`` is the network's input."""
        return F.l1_loss(output, target)

    # Measuring.

    @abstractmethod
    def pair(self, image: NamedImage, index: int = 0, count: int = 1) -> Pair:
        """The validation pair of ``image``, the ``index``-th of ``count``; the same for the same name and options."""

    def given_pair(self, pair: NamedPair) -> Pair:
        """The validation pair of a degraded picture and its clean partner."""
        return Pair(pair.name, self.from_rgb(pair.low), self.from_rgb(pair.high))

    def frame_pair(self, frame: Frame) -> Pair:
        """A real sensor's frame as a pair without a target (``high`` has no pixels), to be looked at.

        Raises:
            UserError: the task does not take frames, or this one lacks something.
        """
        raise UserError(f"--frames is an option of raw-denoise and not of {self.task}; leave it out")

    def from_rgb(self, pixels: np.ndarray, grey_file: bool = False) -> np.ndarray:
        """What a network of ``channels`` sees of 8-bit RGB."""
        return pixels

    def network_input(self, low: np.ndarray) -> np.ndarray:
        """float32 `(h, w, in)` in the range that networks are trained on."""
        return low.astype(np.float32) / np.float32(255) if low.dtype == np.uint8 else low

    def output(self, values: np.ndarray, low: np.ndarray) -> np.ndarray:
        """A network's float32 values `(H, W, c)` as an output: rounded to 8 bits as a saved PNG would be."""
        return (values * np.float32(255)).round().clip(0, 255).astype(np.uint8)

    @abstractmethod
    def baseline(self, low: np.ndarray) -> np.ndarray:
        """The output of doing without a network."""

    @property
    def yardsticks(self) -> Mapping[str, Callable[[np.ndarray], np.ndarray]]:
        """Simple classical methods that a network should beat, from ``Pair.low`` to an output, by name; mostly none."""
        return {}

    @abstractmethod
    def psnr_db(self, output: np.ndarray, pair: Pair) -> float: ...

    @abstractmethod
    def ssim(self, output: np.ndarray, pair: Pair) -> float: ...

    def other_metrics(self, output: np.ndarray, pair: Pair) -> dict[str, float]:
        """Further figures by name, in dB."""
        return {}

    # Showing.

    @property
    def shows_input(self) -> bool:
        """Whether the input looks different from the baseline."""
        return False

    @property
    def input_note(self) -> str:
        """What stands under the picture of the input."""
        return ""

    @property
    def picture_note(self) -> str:
        """What the figures under the pictures are."""
        return f"{self.metric_name}, for the window and for the picture in all."

    def window_db(self, picture: np.ndarray, truth: np.ndarray) -> float:
        """PSNR of a part of a picture, both uint8 RGB as they are shown."""
        return psnr(picture, truth)

    def picture_db(self, output: np.ndarray, pair: Pair) -> dict[str, float]:
        """What stands under a restored picture, in dB, by where it was measured."""
        return {"in all": self.psnr_db(output, pair)}

    def picture(self, output: np.ndarray, pair: Pair) -> np.ndarray:
        """An output, or a target, as uint8 RGB `(H, W, 3)`."""
        values = output if output.dtype == np.uint8 else output.round().clip(0, 255).astype(np.uint8)
        return np.repeat(values, 3, axis=2) if values.shape[2] == 1 else values

    def input_picture(self, pair: Pair) -> np.ndarray:
        """The degraded input as uint8 RGB of the output's size."""
        return self.picture(self.baseline(pair.low), pair)


def image_seed(name: str, *about: object) -> int:
    """A seed that depends on a picture's name and on what is done to it, the same on every machine."""
    text = "/".join(map(str, (name, *about)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def batch_uniform(generator: np.random.Generator, low: float, high: float, count: int) -> Tensor:
    """``count`` float32 values `(N, 1, 1, 1)` between ``low`` and ``high``."""
    return torch.from_numpy(generator.uniform(low, high, (count, 1, 1, 1)).astype(np.float32))


def normal_like(generator: np.random.Generator, values: Tensor) -> Tensor:
    """Standard normal float32 noise of the shape of ``values`` `(N, C, h, w)`, in channels-last memory order."""
    count, channels, height, width = values.shape
    drawn = generator.standard_normal((count, height, width, channels), dtype=np.float32)
    return torch.from_numpy(drawn).permute(0, 3, 1, 2)


def read_range(text: str, option: str, low: float, high: float, example: str) -> tuple[float, float]:
    """``25`` as (25, 25) and ``0-50`` as (0, 50).

    Raises:
        UserError: not one number or two rising ones joined by ``-``, or outside ``low`` to ``high``.
    """
    try:
        values = tuple(float(word) for word in text.split("-"))
    except ValueError:
        values = ()
    if len(values) not in (1, 2) or not low <= values[0] <= values[-1] <= high:
        raise UserError(
            f"{option} must be a number or a range LOW-HIGH from {low:g} to {high:g}, got {text!r}; "
            f"for example {example}"
        )
    return values[0], values[-1]


def range_text(values: tuple[float, float]) -> str:
    """``25`` or ``0–50``."""
    low, high = values
    return f"{low:g}" if low == high else f"{low:g}–{high:g}"


def read_word(text: str, option: str, words: tuple[str, ...]) -> str:
    """Raises: UserError: ``text`` is none of ``words``."""
    if text not in words:
        raise UserError(f"{option} must be one of {', '.join(words)}, got {text!r}")
    return text
