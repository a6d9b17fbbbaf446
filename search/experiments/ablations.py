"""Ablations that test a paper's claim: one network, one choice varied, the same training, several seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from evaluators.tasks import TaskRules, rules_of
from evaluators.training.spectrum_loss import SMFANET_WEIGHT
from search.experiments.block_ablation import DENSE, TABLE, WIDTH, block_variants
from search.experiments.loss_spec import Distil, LossSpec, TeacherName
from search.experiments.network_specs import named_architecture
from search.experiments.plain_row import PLAIN_ROW
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
DISTIL_STEPS = 2000
BLOCK_STEPS = 1600
OUTPUT_WEIGHT = 1.0  # teacher and target alike
FEATURE_WEIGHT = 30.0  # in dB per unit of the features; a choice, which no command has compared with another
PLAIN: dict[str, Value] = {**PLAIN_ROW, "width": 16, "blocks": 8, "malle_pool": 1, "input_skip": "identity"}


@dataclass(frozen=True)
class Comparison:
    """One ablation: ``variants`` by name, each compared with ``base``; ``claim`` is the paper's.

    ``losses`` are what a variant adds to the task's own loss, where it does. Where there is a teacher, ``teacher`` is
    the published network, or one with knobs turned, that teaches unless the user names another; ``trains_teacher`` says
    that it is trained first, where no weights are to be had. ``steps`` are those of a training by default.
    """

    name: str
    title: str
    claim: str
    source: str
    rules: TaskRules
    variants: Mapping[str, Architecture]
    base: str
    losses: Mapping[str, LossSpec] = field(default_factory=dict)
    teacher: str = ""
    trains_teacher: bool = False
    steps: int = 1000

    def loss(self, variant: str) -> LossSpec:
        return self.losses.get(variant, LossSpec())

    @property
    def taught_kinds(self) -> tuple[str, ...]:
        """What is compared with the teacher's, by name."""
        kinds = (loss.distil.kind for loss in self.losses.values() if loss.distil is not None)
        return tuple(dict.fromkeys(kinds))

    def taught_by(self, teacher: TeacherName) -> Comparison:
        """This with ``teacher`` in every loss that is to have one."""
        return replace(self, losses={name: loss.taught_by(teacher) for name, loss in self.losses.items()})

    def teacher_training(self, steps: int, train: tuple[str, ...], test: tuple[str, ...]) -> Training:
        """Of the teacher, to its end: larger patches than the variants', and a rate that falls to zero."""
        arch = named_architecture(self.teacher, self.rules.scale)
        return Training(self.teacher, arch, self.rules, "long", steps, 0, train, test)

    def trainings(self, steps: int, seeds: int, train: tuple[str, ...], test: tuple[str, ...]) -> tuple[Training, ...]:
        """Every variant with every seed, ordered by seed, so that a partial result is useful."""
        return tuple(
            Training(name, arch, self.rules, "short", steps, seed, train, test, loss=self.loss(name))
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


def _distil_raw(name: str) -> Comparison:
    rules = rules_of("raw-denoise")
    student = named_architecture("feature-align", 1)
    losses = {
        "no teacher": LossSpec(),
        f"{OUTPUT_WEIGHT:g} x teacher's outputs": LossSpec(Distil("output", OUTPUT_WEIGHT)),
        f"{FEATURE_WEIGHT:g} x teacher's features": LossSpec(Distil("features", FEATURE_WEIGHT)),
    }
    return Comparison(
        name,
        "A teacher for the Feature-Align stand-in of 160 thousand parameters, RAW denoising",
        "a loss that matches the features of a large denoiser improves a small one",
        "Young et al., arXiv 2103.01524",
        rules,
        dict.fromkeys(losses, student),
        "no teacher",
        losses,
        teacher="feature-align:width=32",
        trains_teacher=True,
        steps=DISTIL_STEPS,
    )


def _distil_sr(name: str) -> Comparison:
    rules = rules_of("sr", 4)
    student = _plain(rules, {"width": 16, "upsampler": "dense-one-step", "input_skip": "bicubic"})
    losses = {
        "L1": LossSpec(),
        f"L1 + {OUTPUT_WEIGHT:g} x teacher's outputs": LossSpec(Distil("output", OUTPUT_WEIGHT)),
        f"L1 + {SMFANET_WEIGHT:g} x spectra": LossSpec(spectrum_weight=SMFANET_WEIGHT),
    }
    return Comparison(
        name,
        "A teacher, or a loss of spectra, for a network of 47 thousand parameters, x4",
        "small networks gain from a loss of spectra, or from a larger network that teaches them",
        "SMFANet, ECCV 2024; DSCLoRA and PKDSR of the NTIRE challenges of 2025 and 2026",
        rules,
        dict.fromkeys(losses, student),
        "L1",
        losses,
        teacher="smfanet-plus",
        steps=DISTIL_STEPS,
    )


def _blocks_sr(name: str) -> Comparison:
    return _blocks(name, rules_of("sr", 4))


def _blocks_denoise(name: str) -> Comparison:
    return _blocks(name, rules_of("denoise"))


def _blocks(name: str, rules: TaskRules) -> Comparison:
    return Comparison(
        name,
        f"Blocks in trunks of {WIDTH} channels at equal milliseconds on {TABLE}, {rules.title}",
        "newer blocks restore better than residual blocks of dense convolutions at the same cost, and their cheap "
        "variants as well as those that are published",
        "SMFANet, ECCV 2024; SPAN, VSCINet, BSRN and ECBSR of the NTIRE challenges on efficient super-resolution",
        rules,
        block_variants(rules),
        DENSE,
        steps=BLOCK_STEPS,
    )


def _plain(rules: TaskRules, turned: Mapping[str, Value]) -> Architecture:
    space, values = SearchSpace(TASKS[rules.task], rules.shape), {BACKBONE: "plain", **PLAIN, **turned}
    return space.decode(space.fill(lambda parameter: values[parameter.key]))


ABLATIONS: dict[str, Callable[[str], Comparison]] = {
    "upsamplers": _upsamplers,
    "recursion": _recursion,
    "malleconv": _malleconv,
    "precision": _precision,
    "distil-raw": _distil_raw,
    "distil-sr": _distil_sr,
    "blocks-sr": _blocks_sr,
    "blocks-denoise": _blocks_denoise,
}
