"""Options that several commands have."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path

from search.request.options import PRECISION_HELP, Option

EMBEDDED = "embedded"  # the data spec of the photographs that come with the program
RUN_HELP = "a run's folder, or its name in runs/"
NETWORK_HELP = (
    "RUN#TRIAL, such as mine#6 (of one rung: mine#6@2), a model folder, a run's weights file, or a published network "
    "such as s-lwsr16+skip (see: python -m search list)"
)


def add_listed(parser: argparse.ArgumentParser, options: Iterable[Option]) -> dict[str, argparse._ArgumentGroup]:
    """Add ``options`` in their groups, which are returned by name."""
    groups: dict[str, argparse._ArgumentGroup] = {}
    for option in options:
        if option.group not in groups:
            groups[option.group] = parser.add_argument_group(option.group)
        groups[option.group].add_argument(
            f"--{option.name}",
            help=option.help,
            metavar=option.metavar,
            default=option.default,
            required=option.required,
        )
    return groups


def add_trial_and_options(
    parser: argparse.ArgumentParser, options: Iterable[Option], flags: Mapping[str, tuple[str, str]]
) -> None:
    """TRIAL, ``options``, ``flags`` by their name with group and help, and ``--json``: of the commands that make one
    network out of another."""
    parser.add_argument("trial", nargs="?", metavar="TRIAL", help="number of the run's network, on its page")
    groups = add_listed(parser, options)
    for name, (group, text) in flags.items():
        groups[group].add_argument(f"--{name}", action="store_true", help=text)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON at the end")


def add_training_options(parser: argparse.ArgumentParser) -> None:
    """Of the commands that train a list of networks: how long, where, and on what."""
    group = parser.add_argument_group("training")
    group.add_argument("--time", help="such as 20m; the same command continues (default: no limit)")
    group.add_argument("--device", help="cpu, cuda or cuda:N (default: cuda where present)")
    group.add_argument("--precision", default="auto", metavar="FORMAT", help=PRECISION_HELP)
    group.add_argument("--side-by-side", metavar="N", help="trainings at a time (default: one per core, or 4 on a GPU)")
    group.add_argument("--data", type=Path, metavar="FOLDER", help="folder that the named data folders lie in")
