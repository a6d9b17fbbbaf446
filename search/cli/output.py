"""A run in the terminal: its front, its page, which network to take and what can be done next."""

from __future__ import annotations

import textwrap

from rich.text import Text

from latency_tables.cli.console import Console
from reports.plotting.text import replace_invalid
from reports.run.advice import alternatives, recommendation
from reports.run.next_steps import next_steps
from reports.run.tables import front_table
from search.api.run import Run


def show(run: Run, console: Console, status: int, as_json: bool) -> int:
    """Print what a run has left; returns ``status``, or 1 if nothing was measured yet."""
    if not run.trained:
        console.print("No network has completed its first rung yet; the same command continues.")
        return status or 1
    if as_json:
        print((run.folder / "front.json").read_text("utf-8"))
    else:
        console.print(front_table(run.result, console.width))
    console.print(f"page: {run.page}", soft_wrap=True, highlight=False)
    _print_advice(run, console)
    return status


def _print_advice(run: Run, console: Console) -> None:
    """Which network to take, and what to type next; the Python that loads it last, ready to be pasted."""
    console.print(Text("\n".join(("", recommendation(run.result), *alternatives(run.result)))))
    for step in next_steps(run.result, run.folder):
        lines = textwrap.indent(step.text.rstrip(), "    ")
        console.print(Text(replace_invalid(f"\n{step.purpose}:\n{lines}")), soft_wrap=True)
