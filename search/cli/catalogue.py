"""``list``: tasks, published networks, knobs, and the runs in this folder."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

from rich.table import Table

from evaluators.costs import architecture_costs
from evaluators.quantities import QUANTITIES, Shown, exact_quantities
from latency_tables.cli.console import Console
from search.cli.network_card import print_card
from search.storage.runs_here import glance, known_runs
from space.backbones import BACKBONES
from space.knobs import SPECIALISTS, Knob, Value
from space.search_space import SearchSpace
from space.tasks import TASKS, Task
from space.zoo import ZOO


def execute(options: argparse.Namespace) -> int:
    if options.name is not None:
        print_card(options.name, options.json)
        return 0
    networks = {}
    for entry in ZOO.values():
        size = TASKS[entry.task].input_sizes[entry.architecture.shape.scale]
        networks[entry.name] = (entry, size, architecture_costs(entry.architecture, size))
    if options.json:
        print(
            json.dumps(
                {
                    "tasks": {
                        name: {
                            "title": task.title,
                            "scales": list(task.input_sizes),
                            "backbones": list(task.backbones),
                            "architectures": _architectures(task),
                        }
                        for name, task in TASKS.items()
                    },
                    "networks": {
                        name: {
                            "title": entry.title,
                            "task": entry.task,
                            "input": f"{size[0]}x{size[1]}",
                            **costs.to_dict(),
                            "source": entry.source,
                            "approximation": entry.approximation,
                            "runs_with_search": entry.runs_with_search,
                            "note": entry.note,
                        }
                        for name, (entry, size, costs) in networks.items()
                    },
                    "knobs": {
                        name: {knob.name: _described(knob) for knob in backbone.knobs}
                        for name, backbone in BACKBONES.items()
                    },
                    "knobs_of_noise_ranges": {SPECIALISTS.name: _described(SPECIALISTS)},
                    "runs": [glance(folder).to_dict() for folder in known_runs()],
                }
            )
        )
        return 0
    console = Console()
    console.print(
        _table(
            "Tasks",
            ("task", "what", "scales", "backbones"),
            [
                (task.name, task.title, ", ".join(f"x{scale}" for scale in task.input_sizes), ", ".join(task.backbones))
                for task in TASKS.values()
            ],
        )
    )
    for task in TASKS.values():
        console.print(f"{task.name}: {_architectures(task):,} different architectures in its space", highlight=False)
    quantities = exact_quantities(Shown.TABLES)
    for named, size in dict.fromkeys((entry.task, size) for entry, size, _ in networks.values()):
        console.print(
            _table(
                f"Published networks for {TASKS[named].title}, at an input of {size[0]}x{size[1]}",
                ("network", *(each.unit for each in quantities), "every run", "remark"),
                [
                    (
                        name,
                        *(each.number(each.of(costs)) for each in quantities),
                        "yes" if entry.runs_with_search else "",
                        f"approximation: {entry.note}" if entry.approximation else entry.note,
                    )
                    for name, (entry, at, costs) in networks.items()
                    if (entry.task, at) == (named, size)
                ],
            )
        )
    knobs = {f"Knobs of the {name} backbone": backbone.knobs for name, backbone in BACKBONES.items()}
    knobs["Knob of all backbones, where the noise has a range of known levels"] = (SPECIALISTS,)
    for title, offered in knobs.items():
        rows = [(knob.name, _offered(knob), knob.meaning, knob.source) for knob in offered]
        console.print(_table(title, ("knob", "values", "meaning", "from"), rows))
    for run in map(glance, known_runs()):
        what = ", ".join(filter(None, (run.task, run.budget, run.created, run.state, size_text(run.size_bytes))))
        console.print(f"run {run.folder}: {what}", highlight=False, markup=False, soft_wrap=True)
    return 0


def size_text(size_bytes: int) -> str:
    """``512 B``, ``3.4 MB``, ``120 MB``: powers of 1000."""
    size, unit = float(size_bytes), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 999.5:
            break
        size, unit = size / 1000, larger
    return f"{size:.0f} {unit}" if unit == "B" or size >= 9.95 else f"{size:.1f} {unit}"


def _architectures(task: Task) -> int:
    """How many different ones a search at the task's default scale can propose."""
    return SearchSpace(task, task.shape(task.default_scale)).count()


def _table(title: str, headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Table:
    """The first column is a name that the user may have to type: it is never broken."""
    table = Table(title=title, title_justify="left", pad_edge=False)
    units = {each.unit for each in QUANTITIES.values()}
    for index, heading in enumerate(headings):
        table.add_column(heading, no_wrap=index == 0 or heading in units)
    for row in rows:
        table.add_row(*row)
    return table


def _described(knob: Knob) -> dict[str, Any]:
    return {
        "values": list(knob.values),
        "same_size_values": list(knob.values if knob.same_size is None else knob.same_size),
        "masked_values": list(knob.masked),
        "meaning": knob.meaning,
        "source": knob.source,
    }


def _offered(knob: Knob) -> str:
    """The values, those for an output as large as the input where they are others, and more for a mask of holes."""
    words = [_values(knob.values)]
    if knob.same_size is not None:
        words.append(f"same size: {_values(knob.same_size) or 'not offered'}")
    if knob.masked:
        words.append(f"with a mask of holes also: {_values(knob.masked)}")
    return "; ".join(words)


def _values(values: tuple[Value, ...]) -> str:
    if len(values) > 6 and all(isinstance(value, int) for value in values):
        return f"{values[0]}, {values[1]}, … {values[-1]}"
    return ", ".join(f"{value:g}" if isinstance(value, float) else str(value) for value in values)
