"""``python -m reports.networks.int8_study FOLDER NETWORK…``: what int8 costs networks, and what gives it back.

For each network, on the embedded validation photographs: PSNR in float32 and in simulated int8 on whole photographs,
with the most sensitive layers in float, and after a short quantization-aware training; PSNR of the simulation and of
LiteRT's file on the same crops; colour drift; milliseconds predicted and measured; bytes. The same command continues;
further networks are added.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

import search
from evaluators.export import FORMATS, FP32, INT8
from reports import markdown
from reports.networks.int8_figure import figure, label, loss_db
from reports.networks.int8_measured import CALIBRATED, KEPT, RATES, STEPS, TABLE, measured
from reports.plotting.style import write_png
from search.environment import processor
from space.checkout import commit
from space.command_line import parse_size
from space.errors import UserError
from space.files import write_csv_atomically, write_text_atomically

RECORDS, CSV, PICTURE, PAGE = "figures.json", "int8.csv", "int8.png", "README.md"
SIZE = "96x64"
Record = Mapping[str, Any]


def rows_of(records: Mapping[str, Record]) -> Iterator[tuple[object, ...]]:
    """The lines of ``int8.csv``."""
    yield (
        *("network", "task", "params", "psnr_float_db", "psnr_int8_db"),
        *(f"psnr_{count}_in_float_db" for count in KEPT),
        *(f"ms_{count}_in_float" for count in KEPT),
        *(f"layer_{place}" for place in range(1, max(KEPT) + 1)),
        *(f"psnr_tuned_{rate:g}_{form}_db" for rate in RATES for form in ("float", "int8")),
        *("drift_red", "drift_green", "drift_blue"),
        *("crop_float_db", "crop_simulated_db", "crop_litert_db", "simulated_to_litert_db"),
        *("ms_float", "ms_int8", "measured_ms_float", "measured_ms_int8"),
        *("weight_bytes_float", "weight_bytes_int8", "peak_bytes_float", "peak_bytes_int8"),
        *("file_bytes_float", "file_bytes_int8", "failure"),
    )
    for name, record in records.items():
        crops, costs, kept = record["crops"], record["costs"], record["kept_in_float"]
        layers = [*kept[-1]["layers"], *[""] * max(KEPT)][: max(KEPT)]
        tuned = {each["rate"]: each["psnr_db"] for each in record.get("fine_tuned", ())}
        exact, int8 = crops[FP32], crops[INT8]
        drift = [*record["drift_levels"], "", ""][:3]
        yield (
            *(name, record["task"], record["params"], record["psnr_db"]["float"], record["psnr_db"]["int8"]),
            *(each["psnr_db"] for each in kept),
            *(each["ms"] for each in kept),
            *layers,
            *(tuned.get(rate, {}).get(form, "") for rate in RATES for form in ("float", "int8")),
            *drift,
            *(crops["simulated"]["torch_psnr_db"], crops["simulated"]["psnr_db"], int8.get("psnr_db", "")),
            crops.get("simulated_to_file_db", ""),
            *(costs["float"]["ms"], costs["int8"]["ms"], exact.get("ms", ""), int8.get("ms", "")),
            *(costs[form][f"{what}_bytes"] for what in ("weight", "peak_activation") for form in ("float", "int8")),
            *(exact.get("bytes", ""), int8.get("bytes", ""), int8.get("failure", "")),
        )


def page(records: Mapping[str, Record], command: str, seconds: float) -> Iterator[str]:
    """The lines of ``README.md`` less what the figures mean, which is written by whoever looks at them."""
    first = next(iter(records.values()))
    wide, high = first["costs"]["input"]
    width, height = first["crops"]["size"]
    yield f"# What int8 costs {len(records)} networks\n"
    yield f"    {command}\n"
    yield (
        f"{first['metric']}, means over the six embedded validation photographs; ranges from {CALIBRATED} embedded "
        f"training photographs. Predicted milliseconds of {TABLE} at {wide}x{high}; measured in LiteRT at "
        f"{width}x{height}, one thread of a shared {processor()}, median of 7, commit {commit()}, {seconds:,.0f} s in "
        f"all. Everything is in `{CSV}`.\n"
    )
    yield f"![What int8 costs each network]({PICTURE})\n"
    yield "## Quality on whole photographs, int8 simulated\n"
    heads = ["network", "params", "float32, dB", "int8", "loss", *(f"{count} in float" for count in KEPT), "drift"]
    yield from markdown.table(heads, (_quality_cells(name, record) for name, record in records.items()))
    yield "\nLoss and what follows in dB; `in float`: the loss with so many of the most sensitive layers in float32."
    yield "Drift: of the red, green and blue mean, in levels of 255.\n"
    yield f"## The simulation and LiteRT's file, on the same crops of {width}x{height}\n"
    heads = ["network", "float32, dB", "simulated", "LiteRT", "difference", "simulated to LiteRT", *_MS]
    yield from markdown.table(heads, (_file_cells(name, record) for name, record in records.items()))
    yield "\n## Costs\n"
    heads = ["network", f"{TABLE} float32, ms", "int8, ms", "weights, kB", "int8", "peak memory, MB", "int8"]
    yield from markdown.table(heads, (_cost_cells(name, record) for name, record in records.items()))
    tuned = {name: record for name, record in records.items() if record.get("fine_tuned")}
    if tuned:
        yield f"\n## After {STEPS} steps of quantization-aware training\n"
        heads = ["network", "rate", "before: float32, dB", "int8", "after: float32", "int8", "loss"]
        yield from markdown.table(heads, (cells for name in tuned for cells in _tuned_cells(name, tuned[name])))


_MS = ("measured float32, ms", "int8, ms")


def _quality_cells(name: str, record: Record) -> list[str]:
    exact = record["psnr_db"]["float"]
    kept = [f"{exact - each['psnr_db']:.3f}" for each in record["kept_in_float"]]
    drift = " ".join(f"{each:+.2f}" for each in record["drift_levels"])
    int8 = record["psnr_db"]["int8"]
    return [label(name), f"{record['params']:,}", f"{exact:.3f}", f"{int8:.3f}", f"{loss_db(record):.3f}", *kept, drift]


def _file_cells(name: str, record: Record) -> list[str]:
    crops = record["crops"]
    simulated, int8, exact = crops["simulated"], crops[INT8], crops[FP32]
    cells = [label(name), f"{simulated['torch_psnr_db']:.3f}", f"{simulated['psnr_db']:.3f}"]
    if "failure" in int8:
        return [*cells, "refused: " + int8["failure"].replace("|", "\\|"), "–", "–", _ms(exact), "–"]
    near = crops["simulated_to_file_db"]
    cells += [f"{int8['psnr_db']:.3f}", f"{simulated['psnr_db'] - int8['psnr_db']:+.3f}"]
    return [*cells, "equal" if near is None else f"{near:.1f}", _ms(exact), _ms(int8)]


def _ms(figures: Record) -> str:
    return "–" if "failure" in figures else f"{figures['ms']:.1f}"


def _cost_cells(name: str, record: Record) -> list[str]:
    exact, int8 = record["costs"]["float"], record["costs"]["int8"]
    times = [f"{each['ms']:,.0f} ({each['ms_low']:,.0f} to {each['ms_high']:,.0f})" for each in (exact, int8)]
    weights = [f"{each['weight_bytes'] / 1e3:,.0f}" for each in (exact, int8)]
    return [label(name), *times, *weights, *(f"{each['peak_activation_bytes'] / 1e6:,.1f}" for each in (exact, int8))]


def _tuned_cells(name: str, record: Record) -> Iterator[list[str]]:
    before = [f"{record['psnr_db'][form]:.3f}" for form in ("float", "int8")]
    for each in record["fine_tuned"]:
        exact, int8 = each["psnr_db"]["float"], each["psnr_db"]["int8"]
        yield [label(name), f"{each['rate']:g}", *before, f"{exact:.3f}", f"{int8:.3f}", f"{exact - int8:.3f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("network", nargs="*", help="RUN#TRIAL, a model folder, or what else `export` takes")
    parser.add_argument("--weights", nargs="*", default=[], metavar="NAME=FILE", help="weights of published networks")
    parser.add_argument("--fine-tune", nargs="*", default=[], metavar="NETWORK", help="those that are trained on too")
    parser.add_argument("--input", default=SIZE, metavar="WxH", help=f"of the file (default: {SIZE})")
    options = parser.parse_args()
    torch.set_num_threads(1)
    FORMATS["litert"].require()
    options.folder.mkdir(parents=True, exist_ok=True)
    path = options.folder / RECORDS
    kept: dict[str, Record] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    files = dict(each.split("=", 1) for each in options.weights)
    for spec in options.network:
        model = search.model_named(spec, files.get(spec))
        start = time.monotonic()
        if model.name not in kept or (spec in options.fine_tune and "fine_tuned" not in kept[model.name]):
            record = measured(model, parse_size("--input", options.input), spec in options.fine_tune)
            kept[model.name] = {**record, "seconds": time.monotonic() - start}
            write_text_atomically(path, json.dumps(kept, indent=1) + "\n")
            print(f"{model.name}: {kept[model.name]['seconds']:.0f} s", flush=True)
    if not kept:
        raise UserError("the study needs a network, got none; name one, such as ecbsr-m4c8")
    write_csv_atomically(options.folder / CSV, rows_of(kept))
    write_png(options.folder / PICTURE, lambda: figure(kept))
    tuned = f" --fine-tune {' '.join(options.fine_tune)}" if options.fine_tune else ""
    given = f" --weights {' '.join(f'{name}={Path(file).name}' for name, file in files.items())}" if files else ""
    command = f"python -m reports.networks.int8_study {options.folder} {' '.join(options.network)}{given}{tuned}"
    lines = page(kept, command, sum(record["seconds"] for record in kept.values()))
    write_text_atomically(options.folder / PAGE, "\n".join(lines) + "\n")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
