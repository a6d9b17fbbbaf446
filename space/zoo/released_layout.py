"""How authors store the weights of a network: their names for our parameters, and the pixels that it works on."""

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
    """One released state dict against our network of the same paper.

    Args:
        renamed: from the entry and its scale, our module paths (or whole parameter names) to the authors'. The longest
            path that a parameter lies under counts; one under none of them has the authors' name already.
        scale_of: the upscaling factor, read off the authors' tensors; the entry's own if None.
        pixel_range: the authors' network works on 0..``pixel_range``. Other than 1 it is for networks whose
            activations scale with their input (ReLU, leaky and parametric ReLU).
        unused: beginnings of the authors' names of what our network does not hold, such as other scales.
        folded: the authors' file holds the deploy form, with batch norm or branches in the convolutions.
        network: the entry whose network the authors' file fits, where it is a sibling of the one asked for.
        source: the repository and file that state the layout.
        form: what the file holds, in words, where a network has several layouts.
    """

    renamed: Callable[[PublishedNetwork, int], Mapping[str, str]]
    source: str
    scale_of: Callable[[Mapping[str, Tensor]], int] | None = None
    pixel_range: float = 1
    unused: Callable[[int], tuple[str, ...]] = lambda scale: ()
    folded: bool = False
    network: str | None = None
    form: str = ""


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
    """The scale for which the bias ``key`` of the last convolution has ``colours`` channels per output pixel.

    ``extra`` channels beside them, by scale, are those of a layout that rounds their number up.
    """

    def scale(state_dict: Mapping[str, Tensor]) -> int:
        channels = state_dict[key].numel() if key in state_dict else 0
        scales = range(1, LARGEST_SCALE + 1)
        return next((s for s in scales if colours * s**2 + (extra or {}).get(s, 0) == channels), 4)

    return scale
