"""Networks as people really write them, each with the factory that a command line would name."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune, spectral_norm

PARAMS, MACS = 3 * 8 * 9 + 8 + 8 * 3 * 9 + 3, 32 * 32 * 2 * 3 * 8 * 9  # of ``plain`` at 32x32


def plain() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 3, 3, padding=1))


def weight_normed() -> nn.Module:
    network = plain()
    parametrizations.weight_norm(network[0])
    torch.nn.utils.weight_norm(network[2])
    return network


def spectral_normed() -> nn.Module:
    network = plain()
    parametrizations.spectral_norm(network[0])
    spectral_norm(network[2])
    return network


def orthogonal() -> nn.Module:
    network = plain()
    parametrizations.orthogonal(network[0])
    return network


def pruned() -> nn.Module:
    network = plain()
    prune.l1_unstructured(network[0], "weight", amount=0.5)
    prune.random_structured(network[0], "weight", amount=0.25, dim=0)
    return network


class Around(nn.Module):
    """``plain`` as a part of another network."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = plain()

    def forward(self, image: Tensor) -> Tensor:
        return self.inner(image)


class ConstantFilled(Around):
    """A dilated all-ones kernel that is made anew for each image."""

    def forward(self, image: Tensor) -> Tensor:
        weight = torch.zeros(3, 3, 1, 1)
        weight[0].fill_(0.25)
        return self.inner(image + torch.tensor([0.4, 0.5, 0.6]).view(1, 3, 1, 1) * weight.mean())


class Reparameterised(nn.Module):
    """3x3 and 1x1 branches whose sum is computed on the weights: 208 + 32 numbers, of which 224 are deployed."""

    def __init__(self) -> None:
        super().__init__()
        self.three, self.one, self.last = nn.Conv2d(3, 8, 3), nn.Conv2d(3, 8, 1), nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        weight = self.three.weight + F.pad(self.one.weight, (1, 1, 1, 1))
        return self.last(F.relu(F.conv2d(image, weight, self.three.bias + self.one.bias, padding=1)))


class MethodFold(Around):
    def fold(self) -> None:
        raise AssertionError("a stranger's method was called")


class SubmoduleFold(Around):
    def __init__(self) -> None:
        super().__init__()
        self.fold = nn.Fold((8, 8), (2, 2))


class PlainTensors(Around):
    """Six numbers that are no parameters or buffers, three of them in a list."""

    def __init__(self) -> None:
        super().__init__()
        self.mean, self.more = torch.rand(1, 3, 1, 1), [torch.rand(3, 1, 1)]

    def forward(self, image: Tensor) -> Tensor:
        return self.inner((image - self.mean) * self.more[0])


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.later, self.again = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.again.weight = self.later.weight
        self.first = nn.Conv2d(3, 8, 1)

    def forward(self, image: Tensor) -> Tensor:
        return self.again(self.later(self.first(image)))


class RunTwice(nn.Module):
    """One weight-normed convolution that every image passes four times."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.again = nn.Conv2d(3, 8, 1), parametrizations.weight_norm(nn.Conv2d(8, 8, 3, padding=1))

    def forward(self, image: Tensor) -> Tensor:
        image = self.first(image)
        for _ in range(4):
            image = self.again(image)
        return image


class LowRank(nn.Module):
    """A 1x1 convolution of 64 to 64 channels as a product of two matrices of rank 2: these are smaller to store."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Parameter(torch.rand(64, 2)), nn.Parameter(torch.rand(2, 64))

    def forward(self, image: Tensor) -> Tensor:
        return F.conv2d(image.repeat(1, 64, 1, 1)[:, :64], (self.left @ self.right)[:, :, None, None])


class ImageAndMask(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 3, 3, padding=1)

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        return self.conv(torch.cat([image, F.interpolate(mask, image.shape[2:])], 1))


@dataclass
class Restored:
    image: Tensor
    sure: Tensor


class GivesDataclass(Around):
    def forward(self, image: Tensor) -> Restored:
        return Restored(self.inner(image), image)


class GivesDict(Around):
    def forward(self, image: Tensor) -> dict[str, object]:
        return {"steps": [self.inner(image)], "input": (image,)}


class GivesNothing(Around):
    def forward(self, image: Tensor) -> None:
        return None


class Fails(Around):
    def forward(self, image: Tensor) -> Tensor:
        return self.inner(image) + None


class Draws(Around):
    def forward(self, image: Tensor) -> Tensor:
        return self.inner(image + torch.randn(1, 3, 1, 1))


class PrintsInForward(Around):
    def forward(self, image: Tensor) -> Tensor:
        print("forward")
        return self.inner(image)


def half() -> nn.Module:
    return plain().half()


def double() -> nn.Module:
    torch.set_default_dtype(torch.float64)
    return plain()


def data_parallel() -> nn.Module:
    return nn.Sequential(nn.DataParallel(nn.DataParallel(plain())))


def prints() -> nn.Module:
    print("made a network")
    return plain()


def parses() -> nn.Module:
    parser = argparse.ArgumentParser()
    parser.add_argument("--width", type=int, default=8)
    parser.parse_args()
    return plain()


def exits() -> nn.Module:
    sys.exit(3)


def raises_without_words() -> nn.Module:
    raise KeyError


def gives_class() -> object:
    return Around


def gives_function() -> object:
    return plain


def needs_width(width: int) -> nn.Module:
    return plain()


def lazy() -> nn.Module:
    return nn.Sequential(nn.LazyConv2d(8, 3))


no_factory = 5
