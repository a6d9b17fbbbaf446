"""The tables of ``reports.networks.export``: formats by knob value, by published network, and the failures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from reports import markdown
from reports.networks.export_cases import KNOB, PUBLISHED, RANDOM, Case
from reports.networks.export_operators import operator_tables
from reports.networks.export_tally import Results, Tally
from space.files import write_csv_atomically, write_text_atomically
from space.knobs import Value
from space.search_space import BACKBONE

KNOBS_FILE, NETWORKS_FILE, PAGE = "knobs.csv", "networks.csv", "README.md"
SHOWN_FAILURES = 40


def by_knob(results: Results, chosen: Sequence[Case]) -> dict[tuple[str, Value], dict[str, Tally]]:
    """By knob and value, then by format."""
    tallies: dict[tuple[str, Value], dict[str, Tally]] = defaultdict(lambda: defaultdict(Tally))
    for name, found in results.items():
        for case in chosen:
            if case.name in found:
                for knob, value in case.knobs.items():
                    tallies[knob, value][name].add(found[case.name])
    return dict(tallies)


def write_tables(folder: Path, chosen: Sequence[Case], results: Results, size: tuple[int, int]) -> None:
    """``knobs.csv`` and ``networks.csv`` for programs, ``README.md`` for people."""
    formats = [name for name, found in results.items() if found]
    tallies = by_knob(results, chosen)
    rows: list[tuple[object, ...]] = [
        ("format", "knob", "value", "is_number", "exact", "within", "failed", "first_failure")
    ]
    for (knob, value), found in tallies.items():
        for name, tally in found.items():
            first = tally.failures[0] if tally.failures else ""
            is_number = not isinstance(value, str)
            rows.append((name, knob, value, is_number, tally.exact, tally.within, len(tally.failures), first))
    write_csv_atomically(folder / KNOBS_FILE, rows)
    head = ("format", "group", "network", "task", "largest_error", "bytes", "failure")
    networks: list[tuple[object, ...]] = [head]
    for name in formats:
        for case in chosen:
            if result := results[name].get(case.name):
                own = (result.get(key, "") for key in ("largest_error", "bytes", "failure"))
                networks.append((name, case.group, case.name, case.task, *own))
    write_csv_atomically(folder / NETWORKS_FILE, networks)
    write_text_atomically(folder / PAGE, "\n".join(_page(folder, chosen, results, formats, tallies, size)) + "\n")


def _page(
    folder: Path,
    chosen: Sequence[Case],
    results: Results,
    formats: Sequence[str],
    tallies: Mapping[tuple[str, Value], Mapping[str, Tally]],
    size: tuple[int, int],
) -> Iterator[str]:
    random = sum(case.group == RANDOM for case in chosen)
    yield "# Which networks every format takes\n"
    yield (
        f"Every network is written in fp32 for an input of {size[0]}x{size[1]}, opened in its engine, run on a "
        "photograph and compared with torch; the largest value of the output counts as 1, for the weights are random. "
        "*Exact*: no value differs by more than 1e-5. *Within*: "
        "by more, but within the tolerance of `evaluators/export/tolerances.py`. *Fail*: refused, or outside.\n"
    )
    yield (
        f"This page: `python -m reports.networks.export {folder} --random {random // 5}`, which continues where it "
        "was ended: the first table says how many of the networks every format has had.\n"
    )
    groups = {PUBLISHED: "published networks", KNOB: "values of knobs", RANDOM: "random networks"}
    heads = ["format", *groups.values(), "versions"]
    lines = []
    for name in formats:
        found = results[name]
        cells = [name]
        for group in groups:
            own = [case.name for case in chosen if case.group == group]
            tally = Tally()
            for case in own:
                if case in found:
                    tally.add(found[case])
            cells.append(f"{tally.cell} of {len(own)}")
        versions = next(iter(found.values()))["versions"]
        lines.append([*cells, ", ".join(f"{package} {number}" for package, number in versions.items())])
    yield from markdown.table(heads, lines, "lllll")
    yield "\n## By knob\n"
    yield "Networks with this value, of all groups. A value that a format does not take is avoided by the others.\n"
    order = sorted(tallies, key=lambda each: (each[0] != BACKBONE, each[0], str(type(each[1])), each[1]))
    yield from markdown.table(
        ["knob", "value", *formats],
        ([knob, str(value), *(tallies[knob, value][name].cell for name in formats)] for knob, value in order),
        "ll" + "l" * len(formats),
    )
    yield from operator_tables(results, chosen, formats)
    yield "\n## By published network\n"
    yield from markdown.table(
        ["network", "task", *formats],
        (
            [case.name, case.task, *(_said(results[name].get(case.name)) for name in formats)]
            for case in chosen
            if case.group == PUBLISHED
        ),
        "ll" + "l" * len(formats),
    )
    failures = [
        [name, case.name, results[name][case.name]["failure"].replace("|", "\\|")]
        for name in formats
        for case in chosen
        if case.name in results[name] and results[name][case.name]["failure"]
    ]
    yield f"\n## Failures: {len(failures)}\n"
    if failures:
        yield from markdown.table(["format", "network", "how"], failures[:SHOWN_FAILURES], "lll")


def _said(result: Mapping[str, Any] | None) -> str:
    if result is None:
        return "–"
    tally = Tally()
    tally.add(result)
    return "fails" if tally.failures else f"{'exact' if tally.exact else 'within'} ({result['largest_error']:.0e})"
