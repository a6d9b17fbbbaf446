"""State dicts as the authors of published networks store them, with small random values."""

import torch
from torch import Tensor

from space.weights.fitting import forms_of


def released_state(name: str, layout: int, scale: int) -> dict[str, Tensor]:
    """Tensors of the names and shapes of the layout, small random values."""
    form = forms_of(name)[layout + 1]
    generator = torch.Generator().manual_seed(0)
    state = {}
    for theirs, shape in form.expected(scale).values():
        state[theirs] = torch.rand(shape, generator=generator) * 0.1 if shape else torch.tensor(3)
    return state
