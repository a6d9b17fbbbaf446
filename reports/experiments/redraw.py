"""``python -m reports.experiments.redraw FOLDER``: draw an ablation or a reproduction again, from its figures.

A folder with ``psnr.csv`` is an ablation's, one with ``reproduction.csv`` a reproduction's. Nothing is trained.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pandas as pd

from evaluators.tasks import TaskRules, rules_of
from reports.experiments.ablation_page import figure as ablation_figure
from reports.experiments.ablation_page import stored_variants
from reports.experiments.reproduction import comparable, picture_name
from reports.experiments.reproduction_figure import figure as reproduction_figure
from reports.plotting.style import write_png
from search.experiments.ablations import ABLATIONS, comparison
from space.errors import UserError
from space.tasks import TASKS

SIGMAS = (15.0, 25.0, 50.0)  # that results of denoising are published for


def redraw(folder: Path) -> tuple[Path, ...]:
    """Draw the pictures in ``folder`` again and return their paths.

    Raises:
        UserError: the folder holds neither an ablation nor a reproduction.
    """
    if (folder / "psnr.csv").is_file():
        return (_ablation(folder),)
    if (folder / "reproduction.csv").is_file():
        return tuple(_reproduction(folder))
    raise UserError(f"{folder} must hold psnr.csv of an ablation or reproduction.csv, got neither; check the name")


def _ablation(folder: Path) -> Path:
    table = pd.read_csv(folder / "psnr.csv")
    variants = set(table.get("variant", ()))
    for name in sorted(ABLATIONS, key=lambda name: not (folder / f"{name}.png").exists()):  # two have the same variants
        ablation = comparison(name)
        if variants and variants <= set(ablation.variants):
            path = folder / f"{name}.png"
            write_png(path, partial(ablation_figure, ablation, stored_variants(ablation, table)))
            return path
    raise UserError(f"{folder / 'psnr.csv'} must hold variants of one of {', '.join(ABLATIONS)}, got others")


def _reproduction(folder: Path) -> Iterator[Path]:
    table = pd.read_csv(folder / "reproduction.csv")
    rules = {title: _rules_titled(title) for title in table["task"].unique()}
    groups: dict[tuple, list[str]] = {}
    for title, own in rules.items():
        groups.setdefault(comparable(own), []).append(title)
    for titles in groups.values():
        here = table[table["task"].isin(titles)]
        path = folder / picture_name(min(titles, key=len))
        write_png(path, partial(reproduction_figure, here, rules[here["task"].iloc[0]]))
        yield path


def _rules_titled(title: str) -> TaskRules:
    """The rules that ``reproduction.csv`` calls ``title``."""
    for rules in _all_rules():
        if rules.title == title:
            return rules
    raise UserError(f"task {title!r} must be one that results are published for, got another")


def _all_rules() -> Iterator[TaskRules]:
    for name, task in TASKS.items():
        for scale in task.input_sizes:
            for channels in task.channels:
                if name != "denoise":
                    yield rules_of(name, scale, {"channels": channels})
                    continue
                for sigma in SIGMAS:
                    yield rules_of(name, scale, {"channels": channels, "sigma": [sigma, sigma]})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="+")
    for folder in parser.parse_args().folder:
        for path in redraw(folder):
            print(path)


if __name__ == "__main__":
    main()
