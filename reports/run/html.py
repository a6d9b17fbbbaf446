"""The page of a run: one file that works without a network."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup, escape

from evaluators.quantities import QUANTITIES, Shown, cost_texts, exact_quantities, ms_text
from reports.benchmark.known import known_signal
from reports.page_environment import page_environment
from reports.plotting.text import replace_invalid
from reports.run.advice import alternatives, beats_baseline, recommendation, recommended
from reports.run.compressed import compressed_time, compression_steps
from reports.run.confirm_files import read_confirmed
from reports.run.confirm_table import mean_and_spread
from reports.run.confirmed import changes
from reports.run.describe import describe_design, in_words, origin
from reports.run.effects import ENOUGH, KnobEffect, effect_svg, gain_window, knob_effects
from reports.run.front import front_frame, other_column, other_figures
from reports.run.fully_trained import fully_trained
from reports.run.gallery import gallery_html
from reports.run.growth_plot import growth_svg
from reports.run.headline import against_classical_baselines, asked, comparisons, outcome
from reports.run.interactive import as_script, front_html
from reports.run.ladder import ladder
from reports.run.network_cards import listed, network_cards
from reports.run.next_steps import next_steps
from reports.run.pareto_plot import published_svg
from reports.run.pareto_view import pareto_view
from reports.run.pictures import Strip
from reports.run.published_view import published_view, results_for
from reports.run.quantities import cost_objectives, latency_quantities, measured_in
from reports.run.shown import shown_members
from reports.run.times import time_sources
from search.durations import duration_text
from search.pareto import SEED_NOISE_DB, front_rung
from search.records import RunResult
from space.files import write_atomically
from space.zoo.published_result import PublishedResult

MOST_COMPRESSED = 40  # rows of the table of compressed trials
MOST_FAILED = 200  # trials whose reason the page tells one by one
PARTS = {"style": "page.css", "chart_script": "chart.js", "page_script": "page.js"}


def write_report(
    run: RunResult,
    folder: Path,
    strips: Sequence[Strip] = (),
    published: tuple[PublishedResult, ...] | None = None,
    name: str = "report",
    is_brief: bool = False,
    frame_strips: Sequence[Strip] = (),
) -> Path:
    """Write ``report.html``, or under another ``name``, and return its path; the rest is as in ``report_html``."""
    path = Path(folder) / f"{name}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, report_html(run, strips, published, is_brief, frame_strips, path.parent).encode())
    return path


def report_html(
    run: RunResult,
    strips: Sequence[Strip] = (),
    published: tuple[PublishedResult, ...] | None = None,
    is_brief: bool = False,
    frame_strips: Sequence[Strip] = (),
    folder: Path | None = None,
) -> str:
    """The page as text. Every figure on it comes from ``run`` or from the table of published results.

    Args:
        published: replaces the shipped table of published results.
        is_brief: only what depends on costs: neither published results nor what knobs did, nor what to do next.
        folder: the run's folder, if the page is to lie in it; else the page says nothing of weights and next steps.
    """
    environment = page_environment("reports.run")
    environment.filters["macs"] = QUANTITIES["macs"].number
    environment.filters["ms"] = ms_text
    environment.filters["describe"] = describe_design
    environment.filters["in_words"] = in_words
    environment.filters["cost_texts"] = cost_texts
    environment.filters["mean_and_spread"] = mean_and_spread
    environment.filters["unbroken"] = _unbroken
    environment.tests["known"] = pd.notna
    if is_brief:
        published = ()
    papers = published_view(run, published)
    compared = fully_trained(run) if published is None else ()
    if published is None:
        published = results_for(run)
    views = [pareto_view(run, quantity) for quantity in cost_objectives(run.settings)]
    effects = () if is_brief else knob_effects(run)
    window_db = gain_window(effects) if effects else (0.0, 0.0)
    in_folder = folder is not None and not is_brief
    shown, choice = shown_members(run), recommended(run)
    confirmed = read_confirmed(run, folder) if in_folder and folder is not None else None
    numbers = listed(run)
    pictures, frame_pictures = gallery_html(strips, frame_strips)
    page = environment.get_template("page.html.jinja").render(
        run=run,
        settings=run.settings,
        elapsed=duration_text(run.elapsed_s),
        rules=run.settings.rules,
        asked=asked(run.settings),
        recommendation=recommendation(run),
        alternatives=alternatives(run),
        outcome=outcome(run) if choice else "",
        classical_baselines=against_classical_baselines(run),
        choice=choice,
        comparisons=comparisons(run),
        fronts=[(view, Markup(front_html(view, numbers))) for view in views],
        networks=Markup(as_script(network_cards(run, shown, in_folder))),
        shown={label: trial for label, trial in shown.items() if _has_picture((*strips, *frame_strips), label)},
        unlisted=sum(trial.at_rung(front_rung(run)) is not None for trial in run.trials) - len(numbers),
        most_failed=MOST_FAILED,
        starred={trial.trial for trial in run.trials if beats_baseline(run, trial)},
        caption=views[0].caption,
        rung=front_rung(run),
        others={name: other_column(name) for name in other_figures(run)},
        rows=front_frame(run).to_dict("records"),
        origins={trial.trial: origin(trial) for trial in run.trials},
        confirmed=confirmed,
        confirmed_changes=changes(run, confirmed) if confirmed else (),
        compression_steps=() if is_brief else compression_steps(run)[:MOST_COMPRESSED],
        compressed_time=compressed_time(run),
        measured_in=measured_in(run.settings),
        noise_db=SEED_NOISE_DB,
        exact=exact_quantities(Shown.SENTENCES),
        main=Shown.TABLES,
        times=latency_quantities(run.settings),
        time_sources=time_sources(run),
        papers=papers,
        papers_svg=Markup(published_svg(papers)) if papers else "",
        published=published,
        fully_trained=compared,
        strips=Markup(pictures),
        frame_strips=Markup(frame_pictures),
        steps=next_steps(run, folder) if in_folder else (),
        effects=[
            (effect, effect_svg(effect, window_db, run.settings.rules.show.baseline_in_words)) for effect in effects
        ],
        enough=ENOUGH,
        below_db=_below(effects, window_db[0]),
        ladder=ladder(run),
        known=None if is_brief else known_signal(run.settings),
        growth=Markup(growth_svg(run)),
        untrained=_untrained(run),
        **{name: Markup(_part(file)) for name, file in PARTS.items()},
    )
    return replace_invalid(page)


def _unbroken(text: str) -> Markup:
    """``text`` in which no line ends inside a word with a hyphen: ``s-lwsr16`` and ``pixel4-a76`` are names."""
    words = (
        Markup('<span class="nobreak">{}</span>').format(word) if "-" in word else escape(word)
        for word in text.split(" ")
    )
    return Markup(" ").join(words)


def _part(name: str) -> str:
    return resources.files("reports.run").joinpath(name).read_text(encoding="utf-8")


def _has_picture(strips: Sequence[Strip], label: str) -> bool:
    return any(crop.label == label for strip in strips for crop in strip.crops)


def _below(effects: Sequence[KnobEffect], low_db: float) -> list[float]:
    """The gains of the candidates below the pictures of the knobs, the lowest first.

    A candidate is in several pictures; the one with most candidates counts it once.
    """
    gains = ([gain for values in effect.gains_db.values() for gain in values if gain < low_db] for effect in effects)
    return sorted(max(gains, key=len, default=[]))


def _untrained(run: RunResult) -> dict[str, Any]:
    """Trials without a result: how many were over budget, repeated or still running, and why others failed."""
    by_status: dict[str, list] = {}
    for trial in run.trials:
        by_status.setdefault(trial.status, []).append(trial)
    return {
        "over_budget": len(by_status.get("over-budget", ())),
        "duplicate": len(by_status.get("duplicate", ())),
        "uncovered": len(by_status.get("uncovered", ())),
        "running": len(by_status.get("running", ())),
        "failed": by_status.get("failed", []),
        "trained": len(by_status.get("trained", ())),
    }
