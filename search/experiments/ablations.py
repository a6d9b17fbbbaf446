"""Ablations that test a paper's claim: one network, one choice varied, the same training, several seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from evaluators.tasks import TaskRules, rules_of
from search.experiments.network_specs import named_architecture
from search.experiments.training import Training
from space.architecture import Architecture
from space.errors import UserError
from space.knobs import Value
from space.search_space import BACKBONE, SearchSpace
from space.tasks import TASKS

ATTENTIONS = {"none": "no attention", "channel": "channel attention", "spatial": "spatial attention"}
BOTH = "both attentions"  # as published
FEWER_CHANNELS = 16  # instead of 32, so that 33 trainings take an hour of one core
RECURSIONS = range(1, 9)
PLACES = ("head", "middle", "tail", "all")
PLAIN: dict[str, Value] = {  # a small residual trunk without specialities; ours
    "width": 16,
    "blocks": 8,
    "recursion": 1,
    "block": "residual",
    "convolution": "dense",
    "inverted_ratio": 0.0,
    "activation_kept": "all",
    "residual_scale": 1.0,
    "malle": "none",
    "malle_pool": 1,
    "attention": "none",
    "input_skip": "identity",
}


@dataclass(frozen=True)
class Comparison:
    """One ablation: ``variants`` by name, each compared with ``base``; ``claim`` is the paper's."""

    name: str
    title: str
    claim: str
    source: str
    rules: TaskRules
    variants: Mapping[str, Architecture]
    base: str

    def trainings(self, steps: int, seeds: int, train: tuple[str, ...], test: tuple[str, ...]) -> tuple[Training, ...]:
        """Every variant with every seed, ordered by seed, so that a partial result is useful."""
        return tuple(
            Training(name, arch, self.rules, "short", steps, seed, train, test)
            for seed in range(seeds)
            for name, arch in self.variants.items()
        )


def comparison(name: str) -> Comparison:
    """The ablation called ``name``.

    Raises:
        UserError: ``name`` is unknown; the message lists the known ones.
    """
    if name not in ABLATIONS:
        raise UserError(f"unknown ablation {name!r}; known: {', '.join(ABLATIONS)}")
    return ABLATIONS[name](name)


def _upsamplers(name: str) -> Comparison:
    kinds = {
        "dense, two steps": "dense-two-step",
        "dense, one step": "dense-one-step",
        "depthwise-separable": "depthwise",
        "four groups": "grouped",
        "nearest + convolution": "nearest",
        "bilinear + LIST": "bilinear-list",
    }
    variants = {label: named_architecture(f"s-lwsr16+skip:upsampler={kind}", scale=4) for label, kind in kinds.items()}
    return Comparison(
        name,
        "Upsamplers of s-LWSR16 (with our input skip), x4",
        "depthwise-separable convolutions before a pixel shuffle are harmful",
        "Lahiri et al., arXiv 2007.05835",
        rules_of("sr", 4),
        variants,
        "dense, two steps",
    )


def _recursion(name: str) -> Comparison:
    start = f"progressive-6:width={FEWER_CHANNELS}"
    variants = {
        f"{n} recursion{'s' if n > 1 else ''}, {BOTH}": named_architecture(f"{start},recursion={n}", 1)
        for n in RECURSIONS
    }
    for attention, words in ATTENTIONS.items():
        variants[f"6 recursions, {words}"] = named_architecture(f"{start},attention={attention}", 1)
    return Comparison(
        name,
        f"Recursions and attention of the progressive network with {FEWER_CHANNELS} channels, deblurring",
        "5, 6 and 7 recursions reach 30.17, 30.21 and 30.21 dB; at 6, no attention reaches 30.08, channel attention "
        "30.16, spatial attention 30.14 and both 30.21",
        "J. Electronics & Information Technology, doi 10.11999/JEIT210298, tables 2 and 3",
        rules_of("deblur"),
        variants,
        f"6 recursions, {BOTH}",
    )


def _malleconv(name: str) -> Comparison:
    rules = rules_of("denoise")
    variants = {"none": _plain(rules, {})}
    for kernel in (1, 3):
        for place in PLACES:
            variants[f"{place}, {kernel}x{kernel}"] = _plain(rules, {"malle": place, "malle_kernel": kernel})
    return Comparison(
        name,
        "A MalleConv in a trunk of 8 residual blocks of 16 channels, denoising",
        "one MalleConv in a standard network lowers the cost, or raises the quality at similar cost",
        "MalleConv, Jiang et al., arXiv 2201.00392",
        rules,
        variants,
        "none",
    )


def _precision(name: str) -> Comparison:
    """The same six networks in whatever ``--precision``; ``reports.experiments.precision_quality`` compares."""
    rules = rules_of("sr", 4)
    variants = {
        f"plain, {width} channels": _plain(
            rules, {"width": width, "upsampler": "dense-one-step", "input_skip": "bicubic"}
        )
        for width in (8, 16, 24, 32)
    }
    variants["s-LWSR, 8 channels"] = named_architecture("s-lwsr16+skip:width=8,upsampler=dense-one-step", scale=4)
    variants["s-LWSR, 16 channels"] = named_architecture("s-lwsr16+skip", scale=4)
    return Comparison(
        name,
        "Six networks with a bicubic input skip, x4, to be trained in each precision",
        "training in bfloat16 costs no quality",
        "mixed-precision training, Kalamkar et al., arXiv 1905.12322",
        rules,
        variants,
        "plain, 16 channels",
    )


def _plain(rules: TaskRules, turned: Mapping[str, Value]) -> Architecture:
    space, values = SearchSpace(TASKS[rules.task], rules.shape), {BACKBONE: "plain", **PLAIN, **turned}
    return space.decode(space.fill(lambda parameter: values[parameter.key]))


ABLATIONS: dict[str, Callable[[str], Comparison]] = {
    "upsamplers": _upsamplers,
    "recursion": _recursion,
    "malleconv": _malleconv,
    "precision": _precision,
}
