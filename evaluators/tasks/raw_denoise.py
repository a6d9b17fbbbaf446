"""Denoising of RAW: packed Bayer frames made from photographs, with the noise of a sensor."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from evaluators.images.bayer_frames import FILE, Frame
from evaluators.images.folders import NamedImage
from evaluators.images.metrics import psnr, ssim_of_planes
from evaluators.images.unprocess import READ_SPREAD, SHOT, Camera, process, random_camera, read_variance, unprocess
from evaluators.tasks.contracts import Degrade, Measure, Show
from evaluators.tasks.options import range_text, read_range
from evaluators.tasks.pair import Pair
from evaluators.tasks.randomness import image_seed, normal_like
from evaluators.tasks.rules import TaskRules
from evaluators.training.plan import TrainingPlan
from space.errors import UserError

FULL_SCALE = 65535

EXPOSURE = 4.0
"""What networks see and give is RAW times this, in every channel: four fifths of the validation values lie below 0.2,
and their noise between 0.005 and 0.022. The plain network of ``_Degrade.plan`` gains 1.11, 2.40 and 2.92 dB with 4
(second seed 1.11, 2.49, 3.01) where it gains 0.80, 1.58 and 2.74 with 1; 8 and 16 are like 4 (1.06, 2.41, 2.96 and
1.03, 2.33, 2.89), and the square root of the values is worse (0.50, 1.32, 2.65)."""

LOSS_FLOOR = 1e-8
"""Mean squared error below which a patch counts no more, of a full scale of 1: about the quietest read noise (80 dB).
1e-6 and 1e-5 give no more (2.62 dB after 400 steps either way, 2.74 with 1e-8)."""


@dataclass(frozen=True)
class RawDenoise(TaskRules):
    """``shot`` is the range of the shot noise: its variance over the signal, of a full scale of 1.

    Inputs, targets and outputs are float32 RGGB `(h, w, 4)`, packed and linear, clean ones in [0, 1]; noise is not
    clipped. With ``channels`` "noise-map" an input has the noise's standard deviation, as estimated from the noisy
    signal, as a fifth channel. PSNR is on the linear values of all four channels, peak 1, outputs clipped to [0, 1]. Of
    the range, validation pictures take levels spread evenly over its logarithm, with read noise on the line itself.
    Networks work on all of these values times ``EXPOSURE``.
    """

    shot: tuple[float, float] = SHOT

    task: ClassVar[str] = "raw-denoise"
    option_readers: ClassVar[Mapping[str, Callable[[str], Any]]] = {
        "shot": partial(read_range, option="--shot", low=1e-6, high=0.1, example="0.0001-0.012")
    }

    @property
    def title(self) -> str:
        return f"raw-denoise shot {range_text(self.shot)}" + (", noise map" if self.has_map else "")

    @property
    def has_map(self) -> bool:
        """Whether a network is told the noise's standard deviation."""
        return self.channels == "noise-map"

    @property
    def degrade(self) -> Degrade[RawDenoise]:
        return _Degrade(self)

    @property
    def measure(self) -> Measure[RawDenoise]:
        return _Measure(self)

    @property
    def show(self) -> Show[RawDenoise]:
        return _Show(self)


class _Degrade(Degrade["RawDenoise"]):
    @property
    def plan(self) -> TrainingPlan:
        """Many small patches, for each has its own noise level.

        Measured with ``plain`` (16 channels, 8 blocks, 41 thousand parameters), dB above the noisy input on the halved
        photographs after 100, 200 and 400 steps (4, 8 and 15 s), without ``EXPOSURE``: 32 patches of 16x16 0.80, 1.58
        and 2.74 (second seed 0.78, 1.73, 2.74), 8 of 32x32 0.52, 1.11 and 1.67, 128 of 8x8 0.62, 1.44 and 2.48. Rates
        of 1e-3 and 4e-3 reach 2.36 and 1.45 where 2e-3 reaches 2.74. With a noise map, and ``EXPOSURE``, the network
        gains 2.45, 3.61 and 3.99: without one it has to find out the noise level first.
        """
        return TrainingPlan(batch=32, patch_px=16)

    @property
    def layout(self) -> str:
        return "bayer"

    @property
    def pixels_per_patch_pixel(self) -> int:
        return 2

    @property
    def embedded_side_px(self) -> int:
        return 384

    def divided(self, count: int) -> tuple[RawDenoise, ...]:
        """Even in the logarithm of the shot noise."""
        if self._rules.shot[0] == self._rules.shot[1]:
            return ()
        return tuple(
            replace(self._rules, shot=part) for part in pairwise(np.geomspace(*self._rules.shot, count + 1).tolist())
        )

    def stored(self, image: NamedImage) -> tuple[None, np.ndarray]:
        return None, np.round(unprocess(image.pixels, _camera(image)) * FULL_SCALE).astype(np.uint16)

    def finish_patches(self, degraded: Tensor, target: Tensor, generator: np.random.Generator) -> tuple[Tensor, Tensor]:
        count = len(target)
        lowest, highest = np.log(self._rules.shot)
        shots = np.exp(generator.uniform(lowest, highest, count))
        reads = read_variance(shots, generator.normal(0, READ_SPREAD, count))
        shot, read = (torch.from_numpy(each.astype(np.float32)).view(-1, 1, 1, 1) for each in (shots, reads))
        noisy = target + (target * shot + read).sqrt() * normal_like(generator, target)
        if self._rules.has_map:
            deviation = (noisy.mean(1, keepdim=True).clamp(min=0) * shot + read).sqrt()
            noisy = torch.cat([noisy, deviation], dim=1)
        return (noisy * EXPOSURE).contiguous(memory_format=torch.channels_last), target * EXPOSURE

    def pair(self, image: NamedImage, index: int = 0, count: int = 1) -> Pair:
        camera = _camera(image)
        target = unprocess(image.pixels, camera).astype(np.float32)
        lowest, highest = np.log(self._rules.shot)
        level = (index + 0.5) / count
        shot = np.exp(lowest + (highest - lowest) * level)
        read = read_variance(shot)
        generator = np.random.default_rng(image_seed(image.name, "sensor noise", shot))
        noisy = target + np.sqrt(target * shot + read) * generator.standard_normal(target.shape)
        degraded = _with_map(noisy, shot, read) if self._rules.has_map else noisy
        return Pair(image.name, degraded.astype(np.float32), target, image.grey, camera.to_numbers(), level)

    def network_input(self, degraded: np.ndarray) -> np.ndarray:
        return degraded * np.float32(EXPOSURE)


class _Measure(Measure["RawDenoise"]):
    baseline_name = "noisy input"

    @property
    def metric_name(self) -> str:
        return "PSNR on linear RAW"

    def loss(self, output: Tensor, target: Tensor, network_input: Tensor) -> Tensor:
        """Minus the mean PSNR of the patches in dB, as ``PSNRLoss`` of the repositories ``megvii-model/HINet`` and
        ``megvii-research/NAFNet`` (settings that use it: HINet's for GoPro, NAFNet's for SIDD).

        The inputs' own PSNR spans from 33 to 46 dB. With L1 the noisy ones rule: with the same patches a network gains
        6 dB there and loses 3.5 dB on the cleanest picture (1.78 dB in all after 400 steps, 2.74 with this loss).
        """
        error = (output - target).square().mean((1, 2, 3)) / EXPOSURE**2
        return 10 * (error + LOSS_FLOOR).log10().mean()

    def output(self, values: np.ndarray, degraded: np.ndarray) -> np.ndarray:
        return (values / np.float32(EXPOSURE)).clip(0, 1)

    def baseline(self, degraded: np.ndarray) -> np.ndarray:
        return degraded[..., :4].clip(0, 1)

    def psnr_db(self, output: np.ndarray, pair: Pair) -> float:
        return psnr(output, pair.target, peak=1.0)

    def ssim(self, output: np.ndarray, pair: Pair) -> float:
        return ssim_of_planes(output * np.float32(255), pair.target * np.float32(255))

    def other_metrics(self, output: np.ndarray, pair: Pair) -> dict[str, float]:
        return {"PSNR of the finished picture (sRGB)": psnr(_finished(output, pair), _finished(pair.target, pair))}


class _Show(Show["RawDenoise"]):
    def picture(self, output: np.ndarray, pair: Pair) -> np.ndarray:
        return _finished(output, pair)

    @property
    def picture_note(self) -> str:
        return (
            "The pictures are finished to sRGB, one pixel for each 2×2 of the sensor. PSNR is on them for the window, "
            "and on linear RAW for the picture in all."
        )

    def picture_db(self, output: np.ndarray, pair: Pair) -> dict[str, float]:
        return {"in all (linear RAW)": self._rules.measure.psnr_db(output, pair)}

    def frame_pair(self, frame: Frame) -> Pair:
        degraded = frame.packed
        if self._rules.has_map:
            if frame.noise is None:
                raise UserError(
                    f"{FILE} must have the columns shot and read for networks that take a noise map, got none for "
                    f"{frame.name}; add them, or search with --channels packed"
                )
            degraded = _with_map(degraded, *frame.noise).astype(np.float32)
        level = math.nan if frame.noise is None else self._level(frame.noise[0])
        return Pair(
            frame.name, degraded, np.empty((0, 0, 4), np.float32), display=frame.camera.to_numbers(), level=level
        )

    def _level(self, shot: float) -> float:
        """The place of ``shot`` in the range; of shot noise beyond it, the nearer end."""
        low, top = self._rules.shot
        return math.log(min(max(shot, low), top) / low) / math.log(top / low) if low < top else math.nan


def _with_map(noisy: np.ndarray, shot: float, read: float | np.ndarray) -> np.ndarray:
    """``noisy`` `(h, w, 4)` and the noise's standard deviation as estimated from it, `(h, w, 5)`."""
    deviation = np.sqrt(noisy.mean(axis=2, keepdims=True).clip(0) * shot + read)
    return np.concatenate([noisy, deviation], axis=2)


def _finished(output: np.ndarray, pair: Pair) -> np.ndarray:
    """An output, or a target, as its camera would show it: uint8 sRGB `(h, w, 3)`."""
    return process(output, Camera.from_numbers(pair.display))


def _camera(image: NamedImage) -> Camera:
    return random_camera(np.random.default_rng(image_seed(image.name, "camera")))


RULES = RawDenoise
