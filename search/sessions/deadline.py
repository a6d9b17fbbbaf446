"""A moment by the monotonic clock: setting the wall clock moves neither the end of a run nor a training's."""

from __future__ import annotations

import math
import time


class Deadline:
    """``left_s`` seconds from now; infinite for never. It is not sent to other processes: what is left is."""

    def __init__(self, left_s: float = math.inf) -> None:
        self._end = time.monotonic() + left_s

    @property
    def left_s(self) -> float:
        """Seconds; negative when it is over."""
        return math.inf if math.isinf(self._end) else self._end - time.monotonic()

    @property
    def is_over(self) -> bool:
        return self.left_s < 0
