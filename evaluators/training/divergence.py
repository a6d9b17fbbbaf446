"""When a training has diverged: a loss or a weight that is not finite, or a loss that rose and did not come down."""

from __future__ import annotations

import math

SPAN = 20  # steps over which losses are averaged: one batch may be three times as hard as another
LIMIT = 5.0  # times the lowest average so far; four random networks of sr, denoise, deblur, inpaint stay below 1.2


class DivergedError(RuntimeError):
    """A training that cannot go on: it has failed at ``step``."""

    def __init__(self, text: str, step: int) -> None:
        super().__init__(f"{text} at training step {step}")
        self.step = step


class NonFiniteLossError(DivergedError):
    """The loss or a weight is not a finite number."""

    def __init__(self, what: str, step: int) -> None:
        super().__init__(f"{what} is not finite", step)


class RisingLossError(DivergedError):
    """The loss is ``times`` what it had come down to."""

    def __init__(self, times: float, step: int) -> None:
        super().__init__(f"the loss has risen to {times:.0f} times what it had come down to", step)


class LossWatch:
    """Is told every loss of a training, and ends it once it has diverged.

    What it knows begins where a training is begun or continued. A loss that is ever zero or below has no zero to be
    several times away from, as that of RAW denoising, minus a PSNR: of such a training only what is not finite counts.

    >>> watch = LossWatch()
    >>> for step in range(100):
    ...     watch.told(step, 0.1)
    >>> watch.told(100, float("nan"))
    Traceback (most recent call last):
    evaluators.training.divergence.NonFiniteLossError: the loss is not finite at training step 100
    """

    def __init__(self) -> None:
        self._losses = 0
        self._mean = 0.0
        self._lowest = math.inf
        self._has_zero = True

    def told(self, step: int, loss: float) -> None:
        """
        Raises:
            NonFiniteLossError: ``loss`` is not finite.
            RisingLossError: the average of the last losses, all positive so far, is ``LIMIT`` times the lowest
                average before.
        """
        if not math.isfinite(loss):
            raise NonFiniteLossError("the loss", step)
        self._losses += 1
        self._has_zero = self._has_zero and loss > 0
        self._mean += (loss - self._mean) / min(self._losses, SPAN)
        if self._losses < SPAN:
            return
        if self._has_zero and self._mean > LIMIT * self._lowest:
            raise RisingLossError(self._mean / self._lowest, step)
        self._lowest = min(self._lowest, self._mean)
