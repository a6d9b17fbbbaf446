"""What a comparison of runs leaves: a page, the members as a table, the figures as JSON, and the picture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
from markupsafe import Markup

from reports.page_environment import page_environment
from reports.plotting.style import STYLE, rendered
from reports.plotting.text import replace_invalid
from reports.run.advice import named
from reports.run.compare_plot import comparison_figure, look, protocol_in_words, write_comparison
from reports.run.comparing import ComparedFronts, dominated_share
from reports.run.describe import describe
from reports.run.growth_plot import compared_growth_svg
from search.pareto import SEED_NOISE_DB
from space.files import write_atomically

COLUMNS = ("run", "over", "trial", "source", "cost", "psnr_db", "ssim", "steps", "dominated_by", "architecture")


def compared_frame(compared: Sequence[ComparedFronts]) -> pd.DataFrame:
    """One row per member of a front, cheapest first: ``cost`` is in the quantity's own unit, ``over`` names it;
    ``dominated_by`` are runs whose fronts dominate the member, separated by semicolons."""
    rows = [
        {
            "run": front.name,
            "over": each.quantity.key,
            "trial": member.trial.trial,
            "source": member.trial.source,
            "cost": each.quantity.of(member.trial.costs),
            "psnr_db": member.psnr_db,
            "ssim": next(r.ssim for r in member.trial.rungs if r.steps == each.steps),
            "steps": each.steps,
            "dominated_by": ";".join(_dominated_by(each, front.name, member)),
            "architecture": member.trial.architecture.key,
        }
        for each in compared
        for front in each.fronts
        for member in front.members
    ]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.sort_values(["over", "cost", "run"], ignore_index=True, kind="stable")


def headline(compared: ComparedFronts) -> str:
    """``Share of the hypervolume of all fronts together, over MACs: a 97 %, b 80 %``."""
    ordered = sorted(compared.fronts, key=lambda front: -front.share)
    shares = ", ".join(f"{front.name} {100 * front.share:.0f} %" for front in ordered)
    text = f"Share of the hypervolume of all fronts together, over {compared.quantity.noun}: {shares}"
    if not compared.says_nothing:
        return text
    baseline = ordered[0].run.settings.rules.show.baseline_in_words
    return f"{text}. No network here is clearly better than {baseline}: these shares are noise"


def write_compared(compared: Sequence[ComparedFronts], folder: Path) -> Path:
    """Write ``compare.csv``, ``compare.json``, ``compare.png``, ``compare.svg`` and ``compare.html``; return the path
    of the page."""
    folder.mkdir(parents=True, exist_ok=True)
    write_comparison(compared, folder)
    table = compared_frame(compared).to_csv(index=False, lineterminator="\n")
    write_atomically(folder / "compare.csv", replace_invalid(table).encode())
    document = {"comparisons": [each.to_dict() for each in compared]}
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    write_atomically(folder / "compare.json", replace_invalid(text).encode())
    page = folder / "compare.html"
    write_atomically(page, compared_html(compared).encode())
    return page


def compared_html(compared: Sequence[ComparedFronts]) -> str:
    """The page as text; it works without a network."""
    environment = page_environment("reports.run")
    with matplotlib.rc_context({**STYLE, "svg.fonttype": "none"}):
        figure = comparison_figure(compared, is_captioned=False)
        svg = rendered(figure, ".svg", dpi=figure.dpi).decode()
    page = environment.get_template("compare.html.jinja").render(
        compared=compared,
        names=[front.name for front in compared[0].fronts],
        headline=headline,
        rows=_rows,
        colour=lambda index: look(index)[0],
        noise_db=SEED_NOISE_DB,
        protocol=protocol_in_words(compared[0]),
        growth=lambda each: Markup(compared_growth_svg(each)),
        svg=Markup(svg[svg.index("<svg") :]),
        style=Markup(resources.files("reports.run").joinpath("page.css").read_text(encoding="utf-8")),
    )
    return replace_invalid(page)


def _rows(compared: ComparedFronts) -> list[dict[str, Any]]:
    of = compared.quantity
    rows = [
        {
            "run": front.name,
            "network": named(member.trial),
            "cost": member.cost,
            "figure": of.number(of.of(member.trial.costs)),
            "psnr_db": member.psnr_db,
            "dominated_by": _dominated_by(compared, front.name, member),
            "description": describe(member.trial.architecture),
        }
        for front in compared.fronts
        for member in front.members
    ]
    return sorted(rows, key=lambda row: row["cost"])


def _dominated_by(compared: ComparedFronts, name: str, member: Any) -> list[str]:
    others = (front for front in compared.fronts if front.name != name)
    return [front.name for front in others if dominated_share((member,), front.members)]
