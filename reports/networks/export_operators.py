"""Which operators the networks of the export table have: of their deploy form, as torch calls them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache

from evaluators.export.deploy import multiple_of
from reports import markdown
from reports.networks.export_cases import Case
from reports.networks.export_tally import Results, Tally
from space import build
from space.architecture import Architecture
from space.deploy import deploy_form
from space.operators import Operator, meta_copy, trace

CONVOLUTIONS = {"conv": "convolution", "conv_transpose": "transposed convolution"}


def described(operator: Operator) -> str:
    """``convolution 3x3, depthwise``, or torch's name of it."""
    if operator.kind not in CONVOLUTIONS:
        return operator.name
    words = [f"{CONVOLUTIONS[operator.kind]} {'x'.join(map(str, operator.kernel))}"]
    if max(operator.stride, default=1) > 1:
        words.append(f"stride {operator.stride[0]}")
    if operator.groups > 1:
        words.append("depthwise" if operator.groups == operator.input_shapes[0][1] else "in groups")
    if max(operator.dilation, default=1) > 1:
        words.append("dilated")
    return ", ".join(words)


@lru_cache(maxsize=1024)
def operators_of(arch: Architecture) -> frozenset[str]:
    network = deploy_form(meta_copy(build(arch)))
    side = max(32, multiple_of(network))
    return frozenset(map(described, trace(network, (1, arch.shape.in_channels, side, side)).operators))


def by_operator(results: Results, chosen: Sequence[Case]) -> dict[str, dict[str, Tally]]:
    """By operator, then by format: networks that have it."""
    tallies: dict[str, dict[str, Tally]] = defaultdict(lambda: defaultdict(Tally))
    for case in chosen:
        found = {name: each[case.name] for name, each in results.items() if case.name in each}
        for operator in operators_of(case.arch) if found else ():
            for name, result in found.items():
                tallies[operator][name].add(result)
    return dict(sorted(tallies.items()))


def operator_tables(results: Results, chosen: Sequence[Case], formats: Sequence[str]) -> Iterator[str]:
    """The lines of the page about operators."""
    yield "\n## By operator\n"
    yield (
        "Operators of the deploy form, as torch calls them, and the networks that have them. Where one fails, the "
        "others of its networks fail with it: the failures below say which it was.\n"
    )
    yield from markdown.table(
        ["operator", *formats],
        (
            [operator, *(found[name].cell for name in formats)]
            for operator, found in by_operator(results, chosen).items()
        ),
        "l" + "l" * len(formats),
    )
    yield "\n## Outside of the accelerated set\n"
    yield (
        "Of formats whose engine tells: operators that it runs outside of XNNPACK, in how many of the networks, and "
        "how many networks run in one piece.\n"
    )
    rows = []
    for name in formats:
        told = [each for each in results[name].values() if "partitions" in each]
        if told:
            counts: dict[str, int] = defaultdict(int)
            for each in told:
                for operator in each["left_out"]:
                    counts[operator] += 1
            said = ", ".join(f"{operator} {count}" for operator, count in sorted(counts.items(), key=lambda it: -it[1]))
            rows.append([name, said or "–", f"{sum(each['partitions'] == 1 for each in told)} of {len(told)}"])
    yield from markdown.table(["format", "operators outside", "in one piece"], rows, "lll")
