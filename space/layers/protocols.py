"""What a part declares that it can do. It is declared, never guessed: a stranger's method may be called ``fold``.

A part inherits from what it implements, and callers ask with ``isinstance``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import nn


class Foldable(ABC):
    """A part whose batch norm, branches or factor can move into its convolutions (``space.build.deploy_form``)."""

    @abstractmethod
    def fold(self) -> None:
        """Change the part in place so that it computes the same with fewer operators; a second time changes nothing."""


class TakesNorm(ABC):
    """A part that takes up the batch norm after it."""

    @abstractmethod
    def fold_norm(self, norm: nn.BatchNorm2d) -> None:
        """Change the weights in place so that the part alone computes ``norm(part(x))`` in eval mode."""


class TakesFactor(ABC):
    """A part that takes up a factor on its output."""

    @abstractmethod
    def multiply(self, factor: float) -> None:
        """Change the weights in place so that the part gives ``factor`` times what it gave."""


class StartsItself(ABC):
    """A part that does not start from torch's range of weights (``space.build.initialise``)."""

    @abstractmethod
    def reset(self) -> None:
        """Make its starting weights out of freshly drawn ones; on the meta device nothing changes."""


class ResidualEnd(ABC):
    """A network that can add its input to its output, and then starts as that input."""

    @property
    @abstractmethod
    def residual_end(self) -> nn.Module | None:
        """The last convolution, where what it gives is added to the input; None where nothing is added."""


class ExportForm(ABC):
    """A part with an operator that an engine lacks, which has another form of operators that every engine has."""

    @abstractmethod
    def export_form(self, size: tuple[int, int] | None) -> nn.Module:
        """A part that computes the same, up to rounding; it may share the weights.

        Args:
            size: (width, height) in pixels of the image that goes into the network; None for any.
        """


class DividesSides(ABC):
    """A part that works at a fraction of the image's sides; where that is no whole number, it extends or overlaps."""

    @property
    @abstractmethod
    def multiple(self) -> int:
        """Sides that are multiples of this divide without a rest."""
