"""A one-line description of a network, made from the settings that its backbone has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from evaluators.compression.compression import DISTIL, INT8, PRUNE
from search.records import TrialRecord
from space.architecture import Architecture

BLOCK_FIELDS = ("encoder", "decoder", "blocks")
USUAL_KIND = "residual"  # of blocks, which no description tells


def describe(architecture: Architecture) -> str:
    """``symmetric, 16 ch, 26 blocks (13 inverted), pool of 6, depthwise upsampler, bicubic skip``."""
    return ", ".join(description_parts(architecture))


def description_parts(architecture: Architecture) -> list[str]:
    """The parts of ``describe``; none should break across lines.

    A field that the settings lack is left out, so any backbone can be described.
    """
    settings = architecture.settings
    parts = [architecture.backbone]
    if (width := getattr(settings, "width", None)) is not None:
        parts.append(f"{width} ch")
    if blocks := tuple(_block_specs(settings)):
        parts.append(f"{len(blocks)} block{'s'[: len(blocks) > 1]}{_kinds(blocks)}")
    if getattr(settings, "recursion", 1) > 1:
        parts.append(f"run {settings.recursion} times")
    if sources := getattr(settings, "pool_sources", ()):
        parts.append(f"pool of {len(sources)}")
    if getattr(settings, "residual_scale", 1.0) != 1.0:
        parts.append(f"residuals × {settings.residual_scale:g}")
    if architecture.ends is not None and architecture.ends.attention != "none":
        parts.append(f"{architecture.ends.attention} attention")
    if architecture.ends is not None and architecture.ends.malle is not None:
        parts.append("MalleConv")
    enlarges = architecture.shape.scale > 1  # else the last part is a convolution, whatever its kind
    if enlarges and architecture.ends is not None:
        parts.append(f"{architecture.ends.upsampler.kind} upsampler")
    if architecture.ends is not None:
        skip = architecture.ends.input_skip
        without = "no input skip" if architecture.lacks_input_skip else "input carried"
        parts.append(without if skip == "none" else f"{skip} skip")
    if architecture.shape.specialists > 1:
        parts.append(f"{architecture.shape.specialists} specialists")
    return parts


def describe_design(trial: TrialRecord) -> str:
    """``describe``, and how the design is compressed."""
    return ", ".join(filter(None, (describe(trial.architecture), trial.compression.words)))


def made_of(trial: TrialRecord) -> str:
    """``int8 of #15``: of a compressed trial, what was done to which; empty of any other."""
    return "" if trial.descent is None else f"{DONE[trial.descent.how](trial)} of #{trial.parent}"


DONE: dict[str, Callable[[TrialRecord], str]] = {
    PRUNE: lambda trial: f"{100 * trial.compression.pruned:.0f} % pruned",
    INT8: lambda trial: INT8,
    DISTIL: lambda trial: f"taught by {trial.compression.taught_by},",
}


def origin(trial: TrialRecord) -> str:
    """Where it comes from: ``search``, a paper's name, or what was done to which trial."""
    return made_of(trial) or trial.source


def in_words(trial: TrialRecord) -> str:
    """A fixed trial inside a sentence; marked where it stands for a network that its paper does not determine."""
    return f"{trial.source} (approximation)" if trial.approximation else trial.source


def short_label(trial: TrialRecord) -> str:
    """What a plot has room for: the paper's name, or ``#17  16 ch × 26``."""
    if trial.is_fixed:
        return trial.source
    if trial.descent is not None:
        return f"#{trial.trial}  {made_of(trial)}"
    settings, specialists = trial.architecture.settings, trial.architecture.shape.specialists
    shared = f", {specialists} specialists" if specialists > 1 else ""
    width, blocks = getattr(settings, "width", None), len(tuple(_block_specs(settings)))
    if width is None or not blocks:
        return f"#{trial.trial}{shared}"
    recursion = getattr(settings, "recursion", 1)
    return f"#{trial.trial}  {width} ch × {blocks}{f' × {recursion}' if recursion > 1 else ''}{shared}"


def _block_specs(settings: Any) -> Iterator[Any]:
    """Every block spec of a trunk, in order, however the backbone nests them."""
    for name in BLOCK_FIELDS:
        yield from _flat(getattr(settings, name, ()))


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, tuple | list):
        for item in value:
            yield from _flat(item)
    elif hasattr(value, "kind"):
        yield value


def _kinds(blocks: tuple[Any, ...]) -> str:
    """In brackets, the blocks that are not residual ones of dense convolutions, by kind, and those without an
    activation, where there are any."""
    kinds = Counter(kind for kind in map(_kind, blocks) if kind != USUAL_KIND)
    linear = sum(not getattr(block, "activated", True) for block in blocks)
    notes = [f"{'all' if count == len(blocks) else count} {kind}" for kind, count in kinds.items()]
    notes += [f"{linear} linear"] if linear else []
    return f" ({', '.join(notes)})" if notes else ""


def _kind(block: Any) -> str:
    """``inverted``, say; of a residual block, of which convolutions it is."""
    convolution = getattr(block, "convolution", "dense")
    return block.kind if convolution == "dense" else f"{block.kind} {convolution}"
