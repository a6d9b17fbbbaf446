"""How far an exported file may be from torch; one that is farther is not left behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evaluators.export.formats import FP16, FP32, INT8


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Limits of what a file computes against torch, over all pictures of the check.

    Attributes:
        largest_error: largest absolute difference of a value, on the scale on which an image is 0 to 1; None for none.
        psnr_db: lowest PSNR against torch's output, peak 1.
        drift: largest change of a channel's mean, in levels of 255.
    """

    largest_error: float | None
    psnr_db: float
    drift: float

    def broken_by(self, figures: Mapping[str, Any]) -> tuple[str, ...]:
        """What of a check's ``figures`` lies outside, in words."""
        broken = []
        error, similarity = figures["largest_error"], figures["psnr_to_torch_db"]
        drift = max(map(abs, figures["colour_drift_levels"]))
        if self.largest_error is not None and not error <= self.largest_error:
            broken.append(f"largest error {error:.2g}, at most {self.largest_error:g} is allowed")
        if similarity is not None and not similarity >= self.psnr_db:
            broken.append(f"{similarity:.1f} dB to torch's output, at least {self.psnr_db:g} are needed")
        if not drift <= self.drift:
            broken.append(f"mean colour drift of {drift:.2f} levels of 255, at most {self.drift:g} is allowed")
        return tuple(broken)


LEVEL = 1 / 255

TOLERANCES: dict[str, Tolerance] = {
    # The same arithmetic in another order: about 1e-6 a layer. A quarter of a level leaves room for deep networks and
    # for sums over whole images, and is far below what a wrong border, kernel or order of channels does.
    FP32: Tolerance(LEVEL / 4, 80.0, 0.01),
    # Rounded to 11 bits, each weight and value is off by up to 2**-12 of itself, and more where a network adds and
    # takes away large values. 50 dB is an error of 0.8 levels of 255.
    FP16: Tolerance(8 * LEVEL, 50.0, 0.25),
    # 256 steps of each tensor's range. 30 dB is an error of 8 levels, as much as a noise of sigma 8;
    # the drift is what an eye sees first, over a whole picture.
    INT8: Tolerance(None, 30.0, 2.0),
}
