"""The device and number format in which training runs fastest; evaluation is always fp32."""

from __future__ import annotations

import contextlib
import re
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import nn

from space.errors import UserError

PRECISIONS = ("auto", "fp32", "bf16")


@dataclass(frozen=True, slots=True)
class Precision:
    """How a network is trained.

    Weights, moments and averages are float32 in every case; ``autocast`` ("bfloat16" or None) is the format of the
    convolutions' arithmetic, and ``reason`` says for the record why it was chosen. Where it was not ``asked`` for by
    name, networks that bfloat16 does not suit (``for_network``) are trained in float32 all the same.
    """

    device: str
    autocast: str | None
    channels_last: bool
    reason: str
    asked: bool = False

    @property
    def memory_format(self) -> torch.memory_format:
        return torch.channels_last if self.channels_last else torch.contiguous_format

    @property
    def name(self) -> str:
        """``bf16`` or ``fp32``, as ``--precision`` says it."""
        return "fp32" if self.autocast is None else "bf16"

    def for_network(self, network: nn.Module) -> Precision:
        """This, or what suits ``network`` where bfloat16 does not: float32, for one with batch norms or with dilated
        convolutions in groups.

        A norm divides by the deviation what a convolution before it rounded to 8 bits of its mean. From random weights,
        on smooth noisy images, the gradients of DnCNN and of GLCIC with LIST then stand at cosines of 0.75 and 0.17 to
        those of float32, those of every network without norms at 0.999 and more. On the embedded photographs DnCNN's
        stand at 0.994 at the start and above 0.999 after 30 steps, GLCIC's at 0.24 and 0.59; what that does to their
        quality in the end was not measured.

        On a CPU with AVX512_BF16, torch 2.13 reads memory that nothing has written for the weight gradient of a dilated
        convolution in groups in channels-last order (3x3 to 7x7, 2 groups to depthwise, batch 8 at 32x32): it is not
        finite, or wrong by a multiple of itself. In contiguous order it is right, so that is what bfloat16 that was
        asked for uses there.
        """
        if self.autocast is None:
            return self
        modules = tuple(network.modules())
        if torch.device(self.device).type == "cpu" and any(map(_is_dilated_in_groups, modules)):
            if self.asked:
                return replace(self, channels_last=False)
            return self.in_float32("a network with dilated convolutions in groups")
        if not self.asked and any(isinstance(module, nn.BatchNorm2d) for module in modules):
            return self.in_float32("a network with batch norms")
        return self

    def continuing(self, name: str | None) -> Precision:
        """This, in the arithmetic ``name`` that training was begun in; unchanged if that is not known (None)."""
        if name in (None, self.name):
            return self
        autocast = "bfloat16" if name == "bf16" else None
        return replace(self, autocast=autocast, reason=f"begun in {name}; {self.reason}", asked=True)

    def in_float32(self, reason: str) -> Precision:
        """This with float32 arithmetic, for ``reason``."""
        return replace(self, autocast=None, reason=f"{reason}; {self.reason}")

    def place_network(self, network: nn.Module) -> nn.Module:
        """Move ``network`` itself to the device and its 4-dimensional weights into the memory order."""
        # torch documents this form of ``to`` and its types leave it out.
        return network.to(self.device, memory_format=self.memory_format)  # type: ignore[call-overload]

    def place_batch(self, images: torch.Tensor) -> torch.Tensor:
        """``images``, `(N, C, H, W)`, on the device and in the memory order; the same tensor if it is already."""
        return images.to(self.device, non_blocking=True).contiguous(memory_format=self.memory_format)

    def arithmetic(self) -> contextlib.AbstractContextManager[object]:
        """The context that the forward pass runs in."""
        if self.autocast is None:
            return contextlib.nullcontext()
        return torch.autocast(torch.device(self.device).type, dtype=getattr(torch, self.autocast))

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Precision:
        return cls(**data)


def _is_dilated_in_groups(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d) and module.groups > 1 and max(module.dilation) > 1


def choose_precision(device: str | None = None, wanted: str = "auto") -> Precision:
    """The setting for this machine, or for ``device`` ("cpu", "cuda", "cuda:1") when given.

    ``wanted`` is one of ``PRECISIONS``; "auto" takes what is fastest. That is chosen by what the processor can do and
    never by a timing, so that all workers of a run agree. bfloat16 on a CPU pays where the processor multiplies it
    natively: with AVX512_BF16, one thread and the default plan, the median step of s-LWSR with 8, 16 and 32 channels
    takes 66, 104 and 249 ms against 96, 163 and 475 in float32 (``tests/benchmarks/test_precision_speed.py``); with
    AMX, s-LWSR16 made 28.8 steps a second against 14.2 (batch 16, 24x24 patches). On an AVX-512 processor without
    either, steps took 2.8 times as long as in float32. Channels-last order pays either way (142 against 188 ms per
    step in float32). It costs no quality from 8 channels up (``reports/published/study-precision``), so that there is
    no rule by width.

    Raises:
        UserError: ``device`` names something that this machine does not have, or ``wanted`` is no precision.
    """
    if wanted not in PRECISIONS:
        raise UserError(f"--precision must be one of {', '.join(PRECISIONS)}, got {wanted!r}; auto takes the fastest")
    device = _checked_device(device)
    native, reason = _native_bfloat16(device)
    if wanted == "fp32":
        return Precision(device, None, True, f"asked for; {reason}", asked=True)
    if wanted == "bf16":
        slower = "" if native else ": slower than float32"
        return Precision(device, "bfloat16", True, f"asked for; {reason}{slower}", asked=True)
    return Precision(device, "bfloat16" if native else None, True, reason)


def _checked_device(device: str | None) -> str:
    if device is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
        raise UserError(f"device must be cpu, cuda or cuda:N, got {device!r}; leave it out to let the program choose")
    kind, _, index = device.partition(":")
    if kind == "cuda":
        if not torch.cuda.is_available():
            raise UserError(f"device {device!r} must be present, got a machine or a torch without CUDA; use cpu")
        if int(index or 0) >= torch.cuda.device_count():
            raise UserError(f"device {device!r} must be present, got {torch.cuda.device_count()} of them; use cuda")
    return device


def _native_bfloat16(device: str) -> tuple[bool, str]:
    """Whether ``device`` multiplies bfloat16 natively, and how a record says so."""
    if device != "cpu":
        with torch.cuda.device(device):  # of which it asks
            native = torch.cuda.is_bf16_supported(including_emulation=False)
        return native, f"CUDA device {'with' if native else 'without'} native bfloat16"
    feature = _cpu_bfloat16_feature()
    if feature is None:
        return False, "CPU without native bfloat16 (neither AMX nor AVX512_BF16)"
    return True, f"CPU with {feature}"


def _cpu_bfloat16_feature() -> str | None:
    """The instruction set that multiplies bfloat16 on this CPU, or None; also None where torch cannot tell.

    torch has no public query; the private ones may be missing in other versions and on other processors.
    """
    for feature, question in (("AMX", "_is_amx_tile_supported"), ("AVX512_BF16", "_is_avx512_bf16_supported")):
        try:
            if getattr(torch.cpu, question)():
                return feature
        except (AttributeError, NotImplementedError, RuntimeError):
            continue
    return None
