"""The settings of a training: one frozen value, the same for all trials of a rung.

The optimizer, its rate and how that falls are those of ``reports/published/training-recipes`` (``python -m
tests.benchmarks.training_recipes``), where every choice stands beside others. Batch, patch, warm-up and average, also
in the rules of the tasks, were measured before, with Adam at a rate of 2e-3, which stayed: here on one thread of an
AVX-512 CPU without native bfloat16 (fp32, channels last), with s-LWSR16 x4, bicubic input skip and zero last
convolution. Their numbers are dB of Y PSNR above bicubic on the six validation photographs, averaged weights, one seed;
a second seed moved them by 0.02 at most, so smaller differences are ties. Times are processor seconds of training.
Batch and patch were compared on the embedded photographs, the rest at batch 16 and 24x24 patches on 76 crops of 256x256
out of the same photographs.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, TypeAlias

from space.errors import UserError

BATCH = 32
"""With 16x16 patches 0.56, 0.80, 0.88, 1.00 and 1.07 dB after 13, 26, 38, 73 and 120 s (100, 200, 300, 600 and 1,000
steps). Batch 16 is equal early (0.79 after 27 s) and behind later (0.91 after 50 s, 0.97 after 85 s)."""

PATCH_PX = 16
"""Small patches show more different places for the same work. A batch of 16 patches of 24x24 learns as much per step
but takes 13 to 21 % longer (0.55, 0.90 and 1.07 dB after 15, 43 and 146 s), and 8 of them fall behind (0.65, 0.92 and
0.98 dB after 16, 47 and 77 s). On the crops 32x32 was worse than 24x24 (0.87 against 0.92 dB after 45 s) and 12x12 a
tie with 16x16; 8- and 32-channel networks prefer 16x16 to 24x24 as well."""

LEARNING_RATE = 2.5e-3
"""Of Adam; Muon's is ``evaluators.training.muon.SINGULAR_VALUE`` times as much."""

MUON, ADAM = "muon", "adam"
OPTIMIZERS = (MUON, ADAM)

FULL_RATE_STEPS = 300
"""Muon's updates have the same size however small the gradients are, so that a rate which stays keeps stirring the
weights. One that falls from here on is ahead at 800 steps with 16 channels and 12 blocks, and a tie with 8 and 6."""

WARMUP_STEPS = 50
"""Adam's first steps have the full size of the rate whatever the gradient; growing rates keep them from throwing
the random weights about. Shorter ones were not measured."""

ADAM_BETAS = (0.9, 0.999)
"""torch's own. (0.9, 0.99) was a tie: 0.92 dB either way after 300 steps of Adam alone."""

EMA_DECAY = 0.999
"""Limit of the average, reached after 19,000 steps; limits of 0.98, 0.99 and 0.995 were ties up to 1,000 steps."""

EMA_RAMP_STEPS = 20
"""The average reaches back over the last 1/19 of the steps made. After 100, 300 and 1,000 steps it gives 0.57, 0.93
and 1.08 dB where the last weights give 0.58, 0.88 and 1.01. Longer reaches are worse early (1/9: 0.56, 0.92,
1.09; 1/4: 0.53, 0.88, 1.07), and 1/39 later (0.57, 0.92, 1.08)."""

PlanChanges: TypeAlias = tuple[tuple[str, int | float | str], ...]

OLDER: dict[str, Any] = {"decay_steps": 0, "full_rate_steps": 0, "optimizer": ADAM}
"""What a stored plan that does not say it has: it is older than the setting."""


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """Settings of ``Trainer``.

    ``patch_px`` is the side of a training patch in pixels of the low-resolution image. ``learning_rate`` is reached
    linearly after ``warmup_steps`` and stays until ``full_rate_steps`` (0: for ever); after n times as many it is 1/√n
    of that, so that training can always be continued. With ``decay_steps`` it falls instead along a cosine to zero at
    that step, for trainings whose end is known. ``ema_decay`` limits how much of the averaged weights one step keeps.
    ``optimizer`` is one of ``OPTIMIZERS``.

    Raises:
        UserError: a value outside its range.
    """

    batch: int = BATCH
    patch_px: int = PATCH_PX
    learning_rate: float = LEARNING_RATE
    warmup_steps: int = WARMUP_STEPS
    ema_decay: float = EMA_DECAY
    decay_steps: int = 0  # 0: no end in view
    full_rate_steps: int = FULL_RATE_STEPS
    optimizer: str = MUON

    def __post_init__(self) -> None:
        for name in ("batch", "patch_px"):
            self._check(name, getattr(self, name) >= 1, "at least 1")
        for name in ("warmup_steps", "decay_steps", "full_rate_steps"):
            self._check(name, getattr(self, name) >= 0, "at least 0")
        self._check("optimizer", self.optimizer in OPTIMIZERS, f"one of {', '.join(OPTIMIZERS)}")
        self._check("learning_rate", 0 < self.learning_rate < 1, "above 0 and below 1")
        self._check("ema_decay", 0 <= self.ema_decay < 1, "at least 0 and below 1")

    def learning_rate_at(self, step: int) -> float:
        """Learning rate of the update that follows ``step`` made updates."""
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / self.warmup_steps
        if not self.decay_steps:
            late = self.full_rate_steps and step > self.full_rate_steps
            return self.learning_rate * (math.sqrt(self.full_rate_steps / step) if late else 1.0)
        return self.learning_rate * (1 + math.cos(math.pi * min(1.0, step / self.decay_steps))) / 2

    def after(self, steps: int) -> TrainingPlan:
        """For a training that starts from weights after ``steps`` updates of another: its rate goes on there."""
        return replace(self, learning_rate=self.learning_rate_at(max(steps, self.warmup_steps))) if steps else self

    def ema_decay_at(self, step: int) -> float:
        """Share of the old average that stays in the update that follows ``step`` made updates.

        It grows with the steps, so that an early average holds no untrained weights and needs no bias correction.
        """
        return min(self.ema_decay, (1 + step) / (EMA_RAMP_STEPS + step))

    def to_dict(self) -> dict[str, Any]:
        """As JSON values, without those that older plans, which lack them, have."""
        return {name: value for name, value in asdict(self).items() if value != OLDER.get(name)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> TrainingPlan:
        return cls(**{**OLDER, **data})

    def changes(self, other: TrainingPlan) -> PlanChanges:
        """The fields of ``other`` that are not as here."""
        theirs = asdict(other)
        return tuple((name, theirs[name]) for name, value in asdict(self).items() if theirs[name] != value)

    def _check(self, name: str, holds: bool, rule: str) -> None:
        if not holds:
            default = next(field.default for field in fields(self) if field.name == name)
            raise UserError(f"{name} must be {rule}, got {getattr(self, name)}; the default is {default}")
