"""How authors store the weights of a network: their parameter names, and the pixel range of their network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from space.zoo.published_network import PublishedNetwork

LARGEST_SCALE = 8


@dataclass(frozen=True, slots=True)
class ReleasedLayout:
    """The mapping of a released state dict to our network of the same paper.

    Args:
        renamed: function of the entry and its scale that returns a mapping from our module paths (or full parameter
            names) to the authors'. The longest matching path applies; a parameter without one has the authors' name.
        scale_of: returns the upscaling factor from the authors' tensors; the entry's own if None.
        pixel_range: the authors' network works on 0..``pixel_range``. Values other than 1 are for networks whose
            activations scale with their input (ReLU, leaky and parametric ReLU), unless ``ends`` are given.
        ends: our paths of the only convolution that reads the image and of the one that writes it, for a network with
            other activations: these two take up the pixel range.
        unused: prefixes of the authors' names for tensors that our network does not have, such as other scales.
        folded: whether the authors' file holds the deploy form, with batch norm or branches in the convolutions.
        network: the entry that the authors' file fits, if it is a sibling of the requested one.
        source: the repository and file that define the layout.
        form: description of the file's content, if a network has several layouts.
    """

    renamed: Callable[[PublishedNetwork, int], Mapping[str, str]]
    source: str
    scale_of: Callable[[Mapping[str, Tensor]], int] | None = None
    pixel_range: float = 1
    ends: tuple[str, str] | None = None
    unused: Callable[[int], tuple[str, ...]] = lambda scale: ()
    folded: bool = False
    network: str | None = None
    form: str = ""

    def divisor(self, key: str) -> float:
        """What the authors' tensor is divided by to be ours called ``key``, in a network on [0, 1]."""
        if self.ends is None:
            return self.pixel_range if key.endswith("bias") else 1
        first, last = self.ends
        if key == f"{first}.weight":
            return 1 / self.pixel_range
        return self.pixel_range if key.startswith(f"{last}.") else 1


def released_names(own: Iterable[str], renamed: Mapping[str, str]) -> dict[str, str]:
    """Each of our parameter names in ``own`` to the authors' name of it."""
    names = {}
    for key in own:
        parts = key.split(".")
        paths = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
        path = next((path for path in paths if path in renamed), None)
        names[key] = key if path is None else renamed[path] + key[len(path) :]
    return names


def scale_by_shuffle(
    key: str, colours: int, extra: Mapping[int, int] | None = None
) -> Callable[[Mapping[str, Tensor]], int]:
    """The scale for which ``key``, weight or bias of the last convolution, has ``colours`` channels per output pixel.

    ``extra`` channels beside them, by scale, are those of a layout that rounds their number up.
    """

    def scale(state_dict: Mapping[str, Tensor]) -> int:
        channels = state_dict[key].shape[:1].numel() if key in state_dict else 0
        scales = range(1, LARGEST_SCALE + 1)
        return next((s for s in scales if colours * s**2 + (extra or {}).get(s, 0) == channels), 4)

    return scale
