"""What a module declares that it can do, by inheriting from one of these classes; callers ask with ``isinstance``.

Nothing is guessed from the name of a method: a module from elsewhere may have a ``fold`` of its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from torch import Tensor, nn


class Foldable(ABC):
    """A module whose batch norm, branches or factor can move into its convolutions (``space.build.deploy_form``)."""

    @abstractmethod
    def fold(self) -> None:
        """Change the module in place so that it computes the same with fewer operators; idempotent."""


class Composed(ABC):
    """A module that makes the weights of several layers into one before it runs them."""

    @abstractmethod
    def layer_by_layer(self, x: Tensor) -> Tensor:
        """What ``forward`` gives, by those layers one after the other: their channels are followed through it."""


class TakesNorm(ABC):
    """A module into which the batch norm after it can be folded."""

    @abstractmethod
    def fold_norm(self, norm: nn.BatchNorm2d) -> None:
        """Change the weights in place so that the module computes ``norm(module(x))`` in eval mode."""


class TakesFactor(ABC):
    """A module into which a factor on its output can be folded."""

    @abstractmethod
    def multiply(self, factor: float) -> None:
        """Change the weights in place so that the output is ``factor`` times what it was."""


class StartsItself(ABC):
    """A module with an initialisation of its own (``space.build.initialise``)."""

    @abstractmethod
    def reset(self) -> None:
        """Turn freshly drawn weights into its initial ones, in place; on the meta device nothing changes."""


class ResidualEnd(ABC):
    """A network that may add its input to its output; if it does, it initially returns that input."""

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


class NarrowsItself(ABC):
    """A part with the same channels in and out, of which channels are removed by a rule of its own.

    ``space.channels`` does not look inside of it.
    """

    @abstractmethod
    def narrowed(self, kept: Sequence[int]) -> nn.Module:
        """A part like this one with the channels ``kept``, in their order."""
