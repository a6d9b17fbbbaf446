"""``delete``: a run's own files, after saying what is lost and asking."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from latency_tables.cli.console import Console
from search.api.deleting import delete
from search.api.run import load
from search.cli.catalogue import size_text
from search.storage.deleting import check_deletable, own_entries
from search.storage.runs_here import run_folder, size_bytes
from space.errors import UserError


def execute(options: argparse.Namespace) -> int:
    folder = run_folder(options.run)
    check_deletable(folder)
    if not options.yes and not sys.stdin.isatty():
        again = f"python -m search delete {shlex.quote(options.run)} --yes"
        raise UserError(f"delete must be confirmed, got no terminal to ask in; to delete without: {again}")
    console = Console()
    console.print(what_is_lost(folder), soft_wrap=True)
    if not options.yes and not _is_confirmed(folder, console):
        console.print("nothing was deleted")
        return 1
    deleted = delete(folder)
    kept = f"; left in {folder}: {', '.join(deleted.kept)}" if deleted.kept else ""
    console.print(f"deleted {folder}, {size_text(deleted.freed_bytes)} freed{kept}", soft_wrap=True)
    return 0


def what_is_lost(folder: Path) -> str:
    """``runs/mine: 120 trials (64 trained), weights of 80 networks, 34 MB; left: notes.txt``."""
    ours, others = own_entries(folder)
    weights = {path.stem.split("-rung-")[0] for path in folder.glob("*/trial-*.safetensors")}
    try:
        run = load(folder)
        trials = f"{len(run.trials)} trials ({len(run.trained)} trained), {run.state}"
    except UserError:
        trials = "trials that cannot be read"
    left = f"; not the run's own, so left there: {', '.join(path.name for path in others)}" if others else ""
    size = size_text(sum(map(size_bytes, ours)))
    return f"{folder}: {trials}, weights of {len(weights)} network{'s'[: len(weights) != 1]}, {size}{left}"


def _is_confirmed(folder: Path, console: Console) -> bool:
    console.print(f"Delete {folder}? It cannot be undone. [y/N] ", end="")
    return sys.stdin.readline().strip().lower() in ("y", "yes")
