"""The page of a training: one file that works without a network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources

from markupsafe import Markup

from evaluators.costs import Costs
from evaluators.quantities import exact_cost_texts, ms_text
from latency_tables.tables.table import LatencyTable
from reports.experiments.reported_sets import set_title
from reports.experiments.reproduction import published_on
from reports.page_environment import page_environment
from reports.plotting.text import replace_invalid
from reports.run.gallery import gallery_html
from reports.run.pictures import Strip
from reports.training.curve_figure import curve_address
from search.durations import duration_text
from search.experiments.curve import Point
from search.experiments.training import SetResult, TrainingRecord
from search.pareto import SEED_NOISE_DB
from space.zoo import ZOO

RUN_PARTS = {"style": "page.css", "chart_script": "chart.js", "page_script": "page.js"}  # of the page of a run


@dataclass(frozen=True)
class TrainedNetwork:
    """What a page says of a finished training.

    ``costs`` are None where the network runs an operator of unknown cost; ``tables`` are those of its milliseconds.
    ``next_steps`` are commands by what they are for.
    """

    record: TrainingRecord
    points: Sequence[Point]
    starts_from: str
    costs: Costs | None
    tables: Sequence[LatencyTable]
    strips: Sequence[Strip]
    next_steps: dict[str, str]


@dataclass(frozen=True)
class SetRow:
    """One line of the table of figures."""

    title: str
    result: SetResult
    gain_db: float  # over the start or, where that was random, over doing without a network
    published_db: float | None
    published_source: str


def set_rows(trained: TrainedNetwork) -> Iterator[SetRow]:
    """The validation pictures first, then every test set."""
    record = trained.record
    if record.validation is not None:
        yield _row(record, "validation pictures", "", record.validation)
    for spec, result in record.results.items():
        yield _row(record, set_title(spec, record.rules), spec, result)


def _row(record: TrainingRecord, title: str, spec: str, result: SetResult) -> SetRow:
    before = result.baseline_psnr_db if result.start_psnr_db is None else result.start_psnr_db
    is_published = record.training.name.partition(":")[0].removesuffix("+skip") in ZOO
    published = published_on(record.training, spec, result.images) if spec and is_published else None
    return SetRow(
        title,
        result,
        result.psnr_db - before,
        published.psnr_db if published else None,
        published.source if published else "",
    )


def outcome(trained: TrainedNetwork) -> str:
    """What training brought, in a sentence: on the validation pictures, or on the first test set."""
    row = next(set_rows(trained))
    rules, result = trained.record.rules, row.result
    figures = f"{rules.measure.metric_name} {result.psnr_db:.2f} dB on {row.title}"
    without = f"{result.psnr_db - result.baseline_psnr_db:+.2f} dB over {rules.show.baseline_in_words}"
    if result.start_psnr_db is None:
        return f"{figures}, {without}."
    if abs(row.gain_db) < SEED_NOISE_DB:
        return f"{figures}: within the seed noise of what it started from ({row.gain_db:+.2f} dB); {without}."
    return f"{figures}: {row.gain_db:+.2f} dB over what it started from, {without}."


def training_html(trained: TrainedNetwork) -> str:
    """The page as text; every figure on it comes from ``trained`` or from the table of published results."""
    environment = page_environment("reports.training")
    environment.filters["ms"] = ms_text
    record = trained.record
    rules, validation = record.rules, record.validation
    levels = {} if validation is None else {rules.measure.baseline_name: validation.baseline_psnr_db}
    (pictures,) = gallery_html(trained.strips)
    page = environment.get_template("page.html.jinja").render(
        record=record,
        training=record.training,
        plan=record.training.plan,
        rules=rules,
        starts_from=trained.starts_from,
        outcome=outcome(trained),
        duration=duration_text(record.train_s),
        curve=curve_address(trained.points, rules.measure.metric_name, levels),
        rows=list(set_rows(trained)),
        classical=list(rules.measure.classical_baselines),
        has_start=bool(record.training.start),
        costs=exact_cost_texts(trained.costs) if trained.costs else [],
        times=[(table, trained.costs.latency[table.name]) for table in trained.tables] if trained.costs else [],
        strips=Markup(pictures),
        steps=trained.next_steps,
        **{name: Markup(_part(file)) for name, file in RUN_PARTS.items()},
    )
    return replace_invalid(page)


def _part(name: str) -> str:
    return resources.files("reports.run").joinpath(name).read_text(encoding="utf-8")
