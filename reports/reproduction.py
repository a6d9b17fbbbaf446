"""What ``reproduce`` and ``queue`` leave for a person: published figures beside ours, with the training behind ours."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib
import matplotlib.lines
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from evaluators.atomic import write_atomically
from reports.counts import DASH, network_counts
from reports.plots import BASELINE, FRONT, METADATA, PAPER, STYLE
from search.trainings.named import entry_of
from search.trainings.training import Training, TrainingRecord
from space.papers.published import PublishedResult, published_results

# By the first folder of a test word, the set that papers report on, and what of it is there.
REPORTED_SETS = {
    "Set5": ("Set5", ""),
    "Set14": ("Set14", ""),
    "B100": ("B100", ""),
    "Urban100": ("Urban100", ""),
    "Urban100_first30": ("Urban100", "published: all 100"),
}
ROW_HEIGHT_IN = 0.42


def rows(records: Sequence[TrainingRecord]) -> pd.DataFrame:
    """A row per training and test set."""
    return pd.DataFrame(row for record in records for row in _rows(record))


def _rows(record: TrainingRecord) -> Iterator[dict[str, object]]:
    training = record.training
    counts = network_counts(entry_of(training.name))
    is_papers_own = ":" not in training.name  # with a knob turned, nothing of it was published
    for word, result in record.results.items():
        published = published_on(training, word) if is_papers_own else None
        yield {
            "network": training.name,
            "task": training.rules.title,
            "params": record.params,
            "true_macs": record.macs,
            "published_params": counts.published_params if is_papers_own else None,
            "test": word,
            "images": result.images,
            "psnr_db": result.psnr_db,
            "ssim": result.ssim,
            "baseline_psnr_db": result.baseline_psnr_db,
            "published_psnr_db": published.psnr_db if published else None,
            "published_ssim": published.ssim if published else None,
            "published_note": _note(word, published),
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


def published_on(training: Training, word: str) -> PublishedResult | None:
    """What was published for the network of ``training`` on the test set ``word``; its own authors' figure first."""
    dataset = REPORTED_SETS.get(word.partition("/")[0].partition("!")[0], (None, ""))[0]
    if dataset is None or "@" in word or "!" in word:
        return None
    title = entry_of(training.name).title
    found = [
        row
        for row in published_results(training.rules.task, training.rules.scale, dataset)
        if row.network == title and row.psnr_db is not None and not row.is_self_ensemble
    ]
    return min(found, key=lambda row: not row.is_own, default=None)


def _note(word: str, published: PublishedResult | None) -> str:
    return REPORTED_SETS[word.partition("/")[0]][1] if published else ""


def write_reproduction(folder: Path, records: Sequence[TrainingRecord]) -> None:
    """``reproduction.csv``, ``README.md`` and, per task, ``psnr-TASK.png`` into ``folder``."""
    table = rows(records)
    write_atomically(folder / "reproduction.csv", table.to_csv(index=False).encode())
    pictures = {}
    for task in dict.fromkeys(record.training.rules.task for record in records):
        picture = io.BytesIO()
        with matplotlib.rc_context(STYLE):
            drawn = figure([record for record in records if record.training.rules.task == task])
            drawn.savefig(picture, format="png", dpi=150, metadata=METADATA[".png"])
        pictures[task] = f"psnr-{task}.png"
        write_atomically(folder / pictures[task], picture.getvalue())
    write_atomically(folder / "README.md", page(records, pictures).encode())


def page(records: Sequence[TrainingRecord], pictures: dict[str, str]) -> str:
    """The table in Markdown: ours and published figures in one cell pair per test set."""
    lines = [
        "# Published networks, trained under one protocol\n",
        "Ours are short trainings beside the days of the published ones: read the steps before the decibels. `+skip` "
        "is the paper's network with its input added to its output. PSNR in dB by the task's rule, with SSIM; *doing "
        "without* is the degraded or interpolated input itself. All figures with sources: `reproduction.csv`.",
    ]
    for task, picture in pictures.items():
        here = [record for record in records if record.training.rules.task == task]
        words = list(dict.fromkeys(word for record in here for word in record.results))
        heads = ["network", "params", "true G MACs", "steps", "training"]
        for word in words:
            heads += [f"{word}: ours", "published", "doing without"]
        lines += [f"\n## {here[0].training.rules.task}\n", f"![PSNR of {task}]({picture})\n"]
        lines += ["| " + " | ".join(heads) + " |", "| --- |" + " ---: |" * (len(heads) - 1)]
        lines += ["| " + " | ".join(_cells(record, words)) + " |" for record in sorted(here, key=lambda r: r.params)]
    commands = dict.fromkeys(f"`{record.command}`" for record in records)
    lines += ["\nCommands: " + "; ".join(commands) + ".\n"]
    lines += [
        f"- {record.training.name}: {record.training.rules.title}, {record.training.protocol} protocol, seed "
        f"{record.training.seed}, {record.environment['device']}, commit {record.environment['commit']}, trained on "
        f"{record.train_data}"
        for record in records
    ]
    return "\n".join(lines) + "\n"


def _cells(record: TrainingRecord, words: Sequence[str]) -> Iterator[str]:
    training = record.training
    yield training.name
    yield f"{record.params:,}"
    yield f"{record.macs / 1e9:.2f}"
    yield f"{training.steps:,}"
    yield f"{record.train_s / 60:.0f} min" if record.train_s >= 120 else f"{record.train_s:.0f} s"
    for word in words:
        result = record.results.get(word)
        if result is None:
            yield from (DASH, DASH, DASH)
            continue
        published = published_on(training, word) if ":" not in training.name else None
        note = _note(word, published)
        yield f"{result.psnr_db:.2f} / {result.ssim:.4f}"
        yield DASH if published is None else _published_text(published) + (f" ({note})" if note else "")
        yield f"{result.baseline_psnr_db:.2f}"


def _published_text(result: PublishedResult) -> str:
    return f"{result.psnr_db:.2f}" + (f" / {result.ssim:.4f}" if result.ssim is not None else "")


def figure(records: Sequence[TrainingRecord]) -> Figure:
    """Per test set a panel with a row per network: doing without, ours, and what was published."""
    words = list(dict.fromkeys(word for record in records for word in record.results))
    ordered = sorted(records, key=lambda record: (-record.params, record.training.name))
    height = ROW_HEIGHT_IN * len(ordered) + 1.5
    drawn = Figure(figsize=(3.4 + 3.1 * len(words), height), layout="constrained")
    panels = drawn.subplots(1, len(words), sharey=True, squeeze=False)[0]
    for axes, word in zip(panels, words, strict=True):
        for row, record in enumerate(ordered):
            result = record.results.get(word)
            if result is None:
                continue
            published = published_on(record.training, word) if ":" not in record.training.name else None
            ends = [result.baseline_psnr_db, result.psnr_db, *([published.psnr_db] if published else [])]
            axes.plot([min(ends), max(ends)], [row, row], color="#dddddd", linewidth=2, zorder=1)
            axes.plot(result.baseline_psnr_db, row, "|", color=BASELINE, ms=12, mew=2)
            axes.plot(result.psnr_db, row, "o", color=FRONT, ms=7)
            if published:
                axes.plot(published.psnr_db, row, "*", color=PAPER, ms=12)
        note = REPORTED_SETS.get(word.partition("/")[0], ("", ""))[1]
        axes.set(title=word + (f"\n({note})" if note else ""), xlabel=records[0].training.rules.metric_name + ", dB")
        axes.grid(axis="x", color="#eeeeee")
    panels[0].set_ylim(-0.6, len(ordered) - 0.4)
    panels[0].set_yticks(
        np.arange(len(ordered)),
        [f"{each.training.name}\n{each.params / 1e3:,.0f}k params, {each.training.steps:,} steps" for each in ordered],
    )
    kinds = (("|", BASELINE, "doing without"), ("o", FRONT, "ours, after these steps"), ("*", PAPER, "as published"))
    handles = [
        matplotlib.lines.Line2D([], [], linestyle="", marker=marker, color=colour, ms=9, mew=2, label=label)
        for marker, colour, label in kinds
    ]
    drawn.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    return drawn
