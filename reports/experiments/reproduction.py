"""What ``reproduce`` and ``queue`` leave for a person: published figures beside ours, with the training behind ours."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path

import pandas as pd

from evaluators.tasks import TaskRules
from reports import markdown
from reports.experiments.reported_sets import reported_set, set_title
from reports.experiments.reproduction_figure import figure
from reports.networks.counts import DASH, NetworkCounts, network_counts, percent
from reports.plotting.style import write_png
from search.experiments.network_specs import entry_of
from search.experiments.training import Training, TrainingRecord
from space.errors import UserError
from space.files import write_atomically
from space.zoo import PublishedNetwork, published_network
from space.zoo.literature import published_results
from space.zoo.published_result import PublishedResult


def rows(records: Sequence[TrainingRecord]) -> pd.DataFrame:
    """A row per training and test set."""
    return pd.DataFrame(row for record in records for row in _rows(record))


def _rows(record: TrainingRecord) -> Iterator[dict[str, object]]:
    training, counts = record.training, _counts(record.training)
    for spec, result in record.results.items():
        published = published_on(training, spec, result.images)
        yield {
            "network": _named(training),
            "task": record.rules.title,
            "params": record.params,
            "true_macs": record.macs,
            "published_params": counts.published_params if counts else None,
            "params_by_paper_rule": counts.rule_params if counts else None,
            "published_macs": counts.published_macs if counts else None,
            "macs_by_paper_rule": counts.rule_macs if counts else None,
            "test": spec,
            "images": result.images,
            "psnr_db": result.psnr_db,
            "ssim": result.ssim,
            "baseline_psnr_db": result.baseline_psnr_db,
            "published_psnr_db": published.psnr_db if published else None,
            "published_ssim": published.ssim if published else None,
            "published_note": _note(spec, published),
            "published_source": published.source if published else None,
            "steps": training.steps,
            "protocol": training.protocol,
            "batch": training.plan.batch,
            "patch_px": training.plan.patch_px,
            "seed": training.seed,
            "train_s": record.train_s,
            "train_data": record.train_data,
            "device": record.environment["device"],
            "commit": record.environment["commit"],
            "command": record.command,
        }


def _counts(training: Training) -> NetworkCounts | None:
    """The published counts of its network and ours by the paper's rule; None of another."""
    entry = _entry(training)
    return _counted(entry.name, training.rules.scale) if entry else None


def _entry(training: Training) -> PublishedNetwork | None:
    """The published configuration that was trained; None of one with a knob turned, and of a design that a search
    found."""
    try:
        return None if ":" in training.name else entry_of(training.name)
    except UserError:
        return None


def _is_found(record: TrainingRecord) -> bool:
    """Whether a search found it, so that it is no published network, with a knob turned or without."""
    return ":" not in record.training.name and _entry(record.training) is None


def _named(training: Training) -> str:
    """The network, and who taught it."""
    distil = training.loss.distil
    taught = f", taught by {distil.teacher.name}" if distil and distil.teacher else ""
    spectra = ", with spectra" if training.loss.spectrum_weight else ""
    return f"{training.name}{taught}{spectra}"


@lru_cache
def _counted(name: str, scale: int) -> NetworkCounts:
    """Counted once for both forms, for the table and for the page."""
    return network_counts(published_network(name), scale)


def published_on(training: Training, spec: str, images: int) -> PublishedResult | None:
    """What was published for the network of ``training`` on the test set ``spec``; its own authors' figure first.

    None of another measure or noise, and none of a network that is not a published one.
    """
    there, rules = reported_set(spec), training.rules
    entry = _entry(training)
    if there is None or there.images != images or entry is None:
        return None
    title = entry.title
    found = [
        row
        for row in published_results(rules.task, rules.scale)
        if row.network == title
        and row.dataset in there.names
        and not row.is_self_ensemble
        and row.psnr_db is not None
        and row.metric == rules.measure.metric_name
        and row.level == rules.measure.published_level
    ]
    return min(found, key=lambda row: not row.is_own, default=None)


def _note(spec: str, published: PublishedResult | None) -> str:
    there = reported_set(spec)
    return there.note if there is not None and published is not None else ""


def comparable(rules: TaskRules) -> tuple:
    """What two trainings must have in common to be compared: task, options but the input's channels, and measure."""
    options = {name: value for name, value in rules.options.items() if name != "channels"}
    return rules.task, rules.scale, str(options), rules.given, rules.measure.metric_rule


def _groups(records: Sequence[TrainingRecord]) -> dict[str, list[TrainingRecord]]:
    """By a title, the records that may be compared: of one task, with its options, by one measure."""
    groups: dict[tuple, list[TrainingRecord]] = {}
    for record in records:
        groups.setdefault(comparable(record.rules), []).append(record)
    return {min((each.rules.title for each in group), key=len): group for group in groups.values()}


def write_reproduction(folder: Path, records: Sequence[TrainingRecord]) -> None:
    """``reproduction.csv``, ``README.md`` and, per task and options, ``psnr-TASK.png`` into ``folder``."""
    table = rows(records)
    write_atomically(folder / "reproduction.csv", table.to_csv(index=False).encode())
    for title, group in _groups(records).items():
        if any(record.results for record in group):
            write_png(folder / picture_name(title), partial(figure, rows(group), group[0].training.rules))
    write_atomically(folder / "README.md", page(records).encode())


def picture_name(title: str) -> str:
    """``psnr-sr-x4.png``"""
    return "psnr-" + re.sub(r"[^a-z0-9.]+", "-", title.lower().replace("×", "x").replace("σ", "sigma")) + ".png"


def page(records: Sequence[TrainingRecord]) -> str:
    """The table in Markdown: ours and published figures in one cell pair per test set."""
    lines = [
        f"# {'Networks' if any(map(_is_found, records)) else 'Published networks'}, trained under one protocol\n",
        "Ours are short trainings beside the days of the published ones: read the steps before the decibels. `+skip` "
        "is the paper's network with its input added to its output. PSNR in dB by the task's rule, with SSIM; the "
        "first row is the input without a network. *Off published*: ours, by the paper's own way of "
        "counting, against what it prints. All figures with sources: `reproduction.csv`.",
    ]
    for title, here in _groups(records).items():
        specs = list(dict.fromkeys(spec for record in here for spec in record.results))
        heads = ["network", "params", "off published", "true G MACs", "off published", "steps", "training"]
        for spec in specs:
            heads += [f"{set_title(spec, here[0].training.rules)}: ours", "published"]
        lines += [f"\n## {title}\n", *([f"![PSNR of {title}]({picture_name(title)})\n"] if specs else [])]
        trained = (_cells(record, specs) for record in sorted(here, key=lambda r: r.params))
        lines += markdown.table(heads, (_without(here, specs), *trained))
    commands = dict.fromkeys(f"`{record.command}`" for record in records)
    lines += ["\nCommands: " + "; ".join(commands) + ".\n"]
    made: dict[str, list[str]] = {}
    for record in records:
        training, about = record.training, record.environment
        how = (
            f"{record.rules.title}, {training.protocol} protocol, seed {training.seed}, {about['device']}, commit "
            f"{about['commit']}, trained on {record.train_data}"
        )
        made.setdefault(how, []).append(f"{_named(training)} ({training.steps:,} steps)")
    lines += [f"- {', '.join(names)}: {how}" for how, names in made.items()]
    return "\n".join(lines) + "\n"


def _cells(record: TrainingRecord, specs: Sequence[str]) -> Iterator[str]:
    training, counts = record.training, _counts(record.training)
    yield _named(training)
    yield f"{record.params:,}"
    yield percent(counts.params_off) if counts else DASH
    yield f"{record.macs / 1e9:.2f}"
    yield percent(counts.macs_off) if counts else DASH
    yield f"{training.steps:,}"
    yield f"{record.train_s / 60:.0f} min" if record.train_s >= 120 else f"{record.train_s:.0f} s"
    for spec in specs:
        result = record.results.get(spec)
        if result is None:
            yield from (DASH, DASH)
            continue
        published = published_on(training, spec, result.images)
        note = _note(spec, published)
        yield f"{result.psnr_db:.2f} / {result.ssim:.4f}"
        yield DASH if published is None else _published_text(published) + (f" ({note})" if note else "")


def _without(records: Sequence[TrainingRecord], specs: Sequence[str]) -> Iterator[str]:
    """The first row of a table: the baseline on each set."""
    yield from (f"*{records[0].training.rules.measure.baseline_name}*", *[DASH] * 6)
    for spec in specs:
        results = [record.results[spec] for record in records if spec in record.results]
        figures = dict.fromkeys(f"{result.baseline_psnr_db:.2f} / {result.baseline_ssim:.4f}" for result in results)
        yield from (" or ".join(figures), DASH)


def _published_text(result: PublishedResult) -> str:
    return f"{result.psnr_db:.2f}" + (f" / {result.ssim:.4f}" if result.ssim is not None else "")
