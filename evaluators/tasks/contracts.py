"""The three contracts of a task, each used by another part of the product: ``Degrade``, ``Measure`` and ``Show``.

A *stored* image is one in the patch pool: uint8 or uint16 `(h, w, C)`. An *output* is a network's result as metrics
take it: uint8 or float32 `(H, W, c)`. ``degraded`` and ``target`` are as in ``Pair``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from evaluators.images.bayer_frames import Frame
from evaluators.images.folders import NamedImage
from evaluators.images.metrics import psnr, ssim_of_planes
from evaluators.tasks.pair import Pair
from evaluators.training.plan import TrainingPlan
from space.errors import UserError

if TYPE_CHECKING:
    from evaluators.tasks.rules import TaskRules

Rules = TypeVar("Rules", bound="TaskRules")


class _Contract(Generic[Rules]):
    """Holds the task's options, and nothing that changes."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules


class Degrade(_Contract[Rules], ABC):
    """From photographs to training batches and validation pairs.

    Asked when data are loaded (``evaluators.data``): ``stored`` once per training image, ``pair`` once per validation
    image. ``finish_patches`` is called by the patch pool for every batch, in the training process; ``network_input``
    before a network sees an image.
    """

    @property
    def plan(self) -> TrainingPlan:
        """Batch size, patch size and learning rate for candidates of this task."""
        return TrainingPlan()

    @property
    def layout(self) -> str:
        """Which symmetries augment a training patch: those of an ``image`` or of a ``bayer`` sensor."""
        return "image"

    @property
    def pixels_per_patch_pixel(self) -> int:
        """Pixels of a photograph along the side of a patch's input pixel: the scale, or 2 of a Bayer sensor."""
        return self._rules.scale

    @property
    def embedded_side_px(self) -> int:
        """Side to which the halved embedded photographs are cropped for validation at scale 1."""
        return 192

    @property
    def margin_px(self) -> int:
        """Largest margin that degradation cuts from each edge of a photograph."""
        return 0

    @property
    def has_pairs(self) -> bool:
        """Whether the task accepts folders of degraded and clean images."""
        return False

    def divided(self, count: int) -> tuple[TaskRules, ...]:
        """The rules for each of ``count`` parts of the range of noise levels, from the lowest up.

        The parts are of equal width where ``Pair.level`` is counted. () without such a range.
        """
        return ()

    @abstractmethod
    def stored(self, image: NamedImage) -> tuple[np.ndarray | None, np.ndarray]:
        """Degraded and clean image for the patch pool; None where patches are degraded when they are sampled."""

    def finish_patches(self, degraded: Tensor, target: Tensor, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Network input and target from sampled patches `(N, C, h, w)` in [0, 1].

        ``degraded`` is ``target`` where no degraded image was stored.
        """
        return degraded, target

    @abstractmethod
    def pair(self, image: NamedImage, index: int = 0, count: int = 1) -> Pair:
        """The validation pair of ``image``, the ``index``-th of ``count``; the same for the same name and options."""

    def from_rgb(self, pixels: np.ndarray, grey_file: bool = False) -> np.ndarray:
        """8-bit RGB as a network of ``channels`` sees it."""
        return pixels

    def network_input(self, degraded: np.ndarray) -> np.ndarray:
        """float32 `(h, w, in)` in the range that networks are trained on."""
        return degraded.astype(np.float32) / np.float32(255) if degraded.dtype == np.uint8 else degraded


class Measure(_Contract[Rules], ABC):
    """From a network's values to a loss and to metrics, and the names of those metrics.

    ``loss`` is called for every training step. The other methods are asked after training, once per validation image
    (``evaluators.quality``): ``output`` or ``baseline`` first, then the metrics. Reports ask for the names.
    """

    baseline_name: ClassVar[str]
    """``bicubic``, ``noisy input``: what the gain is counted from."""

    @property
    @abstractmethod
    def metric_name(self) -> str:
        """Name of the PSNR for an axis: ``PSNR on Y``."""

    @property
    def metric_rule(self) -> str:
        """Name with everything needed to reproduce it, for a caption: ``PSNR on Y, 4 px shaved``."""
        return self.metric_name

    @property
    def published_set(self) -> str:
        """The data set whose published results are plotted beside a run; empty for none."""
        return ""

    @property
    def published_level(self) -> str | None:
        """``level`` of the published results (``space.zoo.literature``) that are of this task; None if none are."""
        return ""

    def loss(self, output: Tensor, target: Tensor, network_input: Tensor) -> Tensor:
        """What training minimises; L1 unless the task says otherwise."""
        return F.l1_loss(output, target)

    def output(self, values: np.ndarray, degraded: np.ndarray) -> np.ndarray:
        """A network's float32 values `(H, W, c)` as an output: rounded to 8 bits as a saved PNG would be."""
        return (values * np.float32(255)).round().clip(0, 255).astype(np.uint8)

    @abstractmethod
    def baseline(self, degraded: np.ndarray) -> np.ndarray:
        """The output without any network."""

    @property
    def classical_baselines(self) -> Mapping[str, Callable[[np.ndarray], np.ndarray]]:
        """Classical methods that a network should beat, from ``Pair.degraded`` to an output, by name; mostly none."""
        return {}

    def psnr_db(self, output: np.ndarray, pair: Pair) -> float:
        """Over all values, peak 255, unless the task says otherwise."""
        return psnr(output, pair.target)

    def ssim(self, output: np.ndarray, pair: Pair) -> float:
        """Mean over the channels unless the task says otherwise."""
        return ssim_of_planes(output, pair.target)

    def other_metrics(self, output: np.ndarray, pair: Pair) -> dict[str, float]:
        """Further figures by name, in dB."""
        return {}


class Show(_Contract[Rules]):
    """What a page shows for a task: pictures, their captions, frames of a real sensor.

    Its methods are called when a run is reported, for the few validation images on the page; never during training.
    """

    @property
    def baseline_in_words(self) -> str:
        """The baseline, for use in a sentence: ``the noisy input``."""
        return f"the {self._rules.measure.baseline_name}"

    @property
    def shows_input(self) -> bool:
        """Whether the input looks different from the baseline."""
        return False

    @property
    def input_note(self) -> str:
        """Caption of the input picture."""
        return ""

    @property
    def picture_note(self) -> str:
        """Explanation of the figures in the captions."""
        return f"{self._rules.measure.metric_name}, for the window and for the picture in all."

    def frame_pair(self, frame: Frame) -> Pair:
        """A real sensor's frame as a pair without a target (``target`` has no pixels), to be looked at.

        Raises:
            UserError: the task does not take frames, or this one lacks something.
        """
        raise UserError(f"--frames is an option of raw-denoise and not of {self._rules.task}; leave it out")

    def window_db(self, picture: np.ndarray, truth: np.ndarray) -> float:
        """PSNR of a crop, both uint8 RGB as displayed."""
        return psnr(picture, truth)

    def picture_db(self, output: np.ndarray, pair: Pair) -> dict[str, float]:
        """PSNR values for the caption of a restored picture, in dB, by the region measured."""
        return {"in all": self._rules.measure.psnr_db(output, pair)}

    def picture(self, output: np.ndarray, pair: Pair) -> np.ndarray:
        """An output, or a target, as uint8 RGB `(H, W, 3)`."""
        values = output if output.dtype == np.uint8 else output.round().clip(0, 255).astype(np.uint8)
        return np.repeat(values, 3, axis=2) if values.shape[2] == 1 else values

    def input_picture(self, pair: Pair) -> np.ndarray:
        """The degraded input as uint8 RGB of the output's size."""
        return self.picture(self._rules.measure.baseline(pair.degraded), pair)
