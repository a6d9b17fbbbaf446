"""Random tensors under the names of the authors of a network, to write its released graph out over them."""

import torch
import torch.nn.functional as F
from torch import Tensor

State = dict[str, Tensor]


class Names:
    """Random tensors under the authors' names."""

    def __init__(self) -> None:
        self.state: State = {}
        self.generator = torch.Generator().manual_seed(0)

    def tensor(self, name: str, *shape: int, spread: float = 0.1) -> None:
        self.state[name] = torch.randn(*shape, generator=self.generator) * spread

    def conv(self, name: str, out: int, inp: int, kernel: int, groups: int = 1) -> None:
        fan_in = inp // groups * kernel**2
        self.tensor(f"{name}.weight", out, inp // groups, kernel, kernel, spread=fan_in**-0.5)
        self.tensor(f"{name}.bias", out)


def conv(state: State, name: str, x: Tensor, groups: int = 1) -> Tensor:
    weight = state[f"{name}.weight"]
    return F.conv2d(x, weight, state[f"{name}.bias"], padding=weight.shape[-1] // 2, groups=groups)
