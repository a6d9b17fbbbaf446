"""The card of a model folder: what a person must know of a network, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from evaluators.data import EMBEDDED
from evaluators.quantities import QUANTITIES, ms_text
from latency_tables.tables.estimate import MissingOperatorError
from latency_tables.tables.table import load_table, table_names
from search.models.compression_card import compression_lines
from search.models.costs import input_of, model_costs
from search.models.engines import how_to_run
from search.models.model import Model
from space.errors import UserError
from space.specialists import networks_of
from space.terminal import escape_controls

CODE_LICENCE = "The program that built this network, litefront, is under the MIT licence."
EMBEDDED_LICENCE = (
    "Trained on the photographs that come with litefront, CC0 and CC-BY, credited in its "
    "`evaluators/images/photographs/CREDITS.csv`."
)
OWN_DATA_LICENCE = "The licences of the pictures that it was trained on may bind what is done with it."


def card(model: Model, described: Mapping[str, Any], exported: Sequence[str], check: Mapping[str, Any]) -> str:
    """The whole card.

    Args:
        described: the content of ``architecture.json``.
        exported: names of the other files in the folder, exported ones among them.
        check: the content of ``check.json``.
    """
    sections = {
        "": _heading(model, described),
        "Training": _training(model),
        "Quality": _quality(model),
        "Compression": compression_lines(model.facts["compressed"]) if model.facts.get("compressed") else (),
        "Costs": _costs(model, exported),
        "Files": _files(exported, check),
        "Run it": _how_to_run(model, exported),
        "Licence": _licence(model),
    }
    lines = [f"# {escape_controls(model.name)}"]
    for title, body in sections.items():
        if told := list(body):
            lines += ["", *([f"## {title}", ""] if title else []), *told]
    return "\n".join(lines) + "\n"


def _heading(model: Model, described: Mapping[str, Any]) -> Iterator[str]:
    rules = model.rules
    if rules is None:
        yield "Task: not said."
    else:
        shape, times = rules.shape, f"{rules.scale}·" if rules.scale > 1 else ""
        output = f"`(1, {shape.out_channels}, {times}H, {times}W)`"
        yield f"Task: {rules.title}. Input `(1, {shape.in_channels}, H, W)`, output {output}, float32 in [0, 1]."
    if model.architecture is not None:
        yield f"Architecture: {model.architecture.backbone}, key `{described['key']}`; see `architecture.json`."
    if (count := len(networks_of(model.network))) > 1:
        yield f"{count} specialists for parts of the range of noise levels: all are stored, one runs for a picture."
    published = model.facts.get("published")
    if published:
        yield f"Published as {published['title']}: {published['source']}."
    if not model.has_weights:
        yield "**Not trained: its weights are as they are initialised.**"


def _training(model: Model) -> Iterator[str]:
    facts = model.facts
    training, data = dict(facts.get("training") or {}), dict(facts.get("data") or {})
    environment = training.pop("environment", None) or {}
    for name, value in {**training, **{f"{name} data": value for name, value in data.items()}}.items():
        yield f"- {name}: {_said(value)}"
    if environment:
        yield f"- with: {_said(environment)}"
    if facts.get("weights"):
        yield f"- weights: {_said(facts['weights'])}"


def _quality(model: Model) -> Iterator[str]:
    rows = model.facts.get("metrics") or ()
    if not rows:
        return
    yield "| measured on | rule | PSNR (dB) | SSIM | more |"
    yield "| --- | --- | --: | --: | --- |"
    for row in rows:
        others = ", ".join(f"{name} {value:.2f} dB" for name, value in (row.get("others_db") or {}).items())
        figures = f"{row['psnr_db']:.3f} | {row['ssim']:.4f}"
        yield f"| {_cell(row['data'])} | {_cell(row['metric'])} | {figures} | {_cell(others)} |"


def _costs(model: Model, exported: Sequence[str]) -> Iterator[str]:
    """Exact costs, and milliseconds on every shipped table of the formats that the folder has."""
    _, size = input_of(model)
    dtypes = {"fp32", *(("int8",) if any("int8" in name for name in exported) else ())}
    tables = [table for table in map(load_table, table_names()) if table.dtype in dtypes]
    refused = ""
    try:
        costs = model_costs(model, size, tables)
    except MissingOperatorError as error:
        refused = str(error)
        costs = model_costs(model, size)
    except UserError as error:
        yield f"Not counted: {error}."
        return
    yield f"At an input of {size[0]}x{size[1]}, batch 1, fp32, deploy form:"
    yield ""
    for each in QUANTITIES.values():
        yield f"- {each.text(costs)}"
    if refused:
        yield f"- no milliseconds: {refused}"
        return
    yield from ("", "| predicted on | ms | 90 % band | origin |", "| --- | --: | --: | --- |")
    for table in tables:
        figure = costs.latency[table.name]
        band = f"{ms_text(figure.low)}–{ms_text(figure.high)}"
        yield f"| {table.caption} | {ms_text(figure.ms)} | {band} | {figure.origin} |"


def _files(others: Sequence[str], check: Mapping[str, Any]) -> Iterator[str]:
    checked = {name for figures in check.values() for name in figures.get("files", ())}
    if exported := [name for name in others if name in checked]:
        yield f"Exported: {_names(exported)}. What each computes in its engine, against torch: `check.json`."
    else:
        yield "Not exported yet: `python -m search export`."
    if more := [name for name in others if name not in checked]:
        yield f"Beside it: {_names(more)}."


def _names(files: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in files)


def _how_to_run(model: Model, exported: Sequence[str]) -> Iterator[str]:
    yield from how_to_run(exported, *input_of(model))


def _licence(model: Model) -> Iterator[str]:
    yield CODE_LICENCE
    if model.facts.get("licence"):
        yield _said(model.facts["licence"]) + "."
    trained = str((model.facts.get("data") or {}).get("training", ""))
    if trained:
        yield EMBEDDED_LICENCE if trained.startswith(EMBEDDED) else OWN_DATA_LICENCE


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_said(each)}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_said, value))
    return escape_controls(str(value))


def _cell(value: Any) -> str:
    return _said(value).replace("|", "\\|")
