"""``python -m reports.networks.export_figures FOLDER NETWORK…``: the figures of whole exports, in all formats.

Every network is exported as ``python -m search export`` does it, in fp32, fp16 and int8, and its ``check.json`` is kept
in FOLDER: error and PSNR against torch, PSNR and SSIM against the truth, colour drift, size, milliseconds. The same
command continues; further networks are added.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import search
from evaluators.export import FORMATS
from reports import markdown
from search.environment import processor
from space.checkout import commit
from space.errors import UserError
from space.files import write_csv_atomically, write_text_atomically

DTYPES = ("fp32", "fp16", "int8")
RECORDS, TABLE, PAGE = "figures.json", "figures.csv", "README.md"
SIZE = "96x64"
FIGURES = ("bytes", "largest_error", "psnr_to_torch_db", "psnr_db", "torch_psnr_db", "ssim", "torch_ssim", "ms")
Record = Mapping[str, Any]


def exported(name: str, size: str) -> dict[str, Any]:
    """Of one network, the figures of every file, and why a file is not there."""
    model = search.model_named(name)
    if model.rules is None:
        raise UserError(f"a network of a task is needed, whose pictures it is checked on, got {name}")
    start = time.monotonic()
    with TemporaryDirectory() as folder:
        files = search.export(model, Path(folder, "model"), list(FORMATS), DTYPES, size)
    return {
        "task": model.rules.task,
        "params": sum(parameter.numel() for parameter in model.network.parameters()),
        "seconds": time.monotonic() - start,
        "files": [{**each.figures, **_identity(each)} for each in files],
    }


def _identity(file: Any) -> dict[str, str]:
    return {"name": file.name, "format": file.format, "dtype": file.dtype, "failure": file.failure}


def drift(file: Record) -> float:
    """The mean shift of the channel that shifts most, in levels of 255."""
    return max(file["colour_drift_levels"], key=abs)


def rows_of(records: Mapping[str, Record]) -> Iterator[tuple[object, ...]]:
    yield ("network", "task", "params", "format", "dtype", *FIGURES, "drift_levels", "failure")
    for name, record in records.items():
        for file in record["files"]:
            own = (file.get(key, "") for key in FIGURES)
            shift = drift(file) if "colour_drift_levels" in file else ""
            yield (name, record["task"], record["params"], file["format"], file["dtype"], *own, shift, file["failure"])


def page(folder: Path, records: Mapping[str, Record], size: str) -> Iterator[str]:
    """The lines of ``README.md``."""
    tasks = sorted({record["task"] for record in records.values()})
    yield f"# {len(records)} networks of {len(tasks)} tasks, exported to every format\n"
    yield f"    python -m reports.networks.export_figures {folder} {' '.join(records)}\n"
    yield (
        f"Inputs of {size}, embedded photographs, int8 ranges from the embedded training photographs; one thread of "
        f"{processor()}, commit {commit()}. "
        "Against torch: the largest error of any network (an image is 0 to 1), the lowest and the median PSNR of its "
        "output to torch's, what the PSNR against the truth loses (largest and median), the largest colour drift in "
        f"levels of 255. All figures are in `{TABLE}`.\n"
    )
    cells = []
    for form in FORMATS:
        for dtype in DTYPES:
            files = [f for r in records.values() for f in r["files"] if (f["format"], f["dtype"]) == (form, dtype)]
            passed = [file for file in files if not file["failure"]]
            if files:
                cells.append([form, dtype, f"{len(passed)} of {len(files)}", *_summary(passed)])
    heads = ["format", "dtype", "works", "largest error", "dB to torch", "median", "loss in dB", "median", "drift"]
    yield from markdown.table(heads, cells, "lll")
    failures = [
        [name, file["format"], file["dtype"], file["failure"].replace("|", "\\|")]
        for name, record in records.items()
        for file in record["files"]
        if file["failure"]
    ]
    yield f"\n## Not left behind: {len(failures)}\n"
    if failures:
        yield from markdown.table(["network", "format", "dtype", "why"], failures, "llll")


def _summary(files: Sequence[Record]) -> list[str]:
    if not files:
        return ["–"] * 6
    to_torch = [math.inf if file["psnr_to_torch_db"] is None else file["psnr_to_torch_db"] for file in files]
    losses = [file["torch_psnr_db"] - file["psnr_db"] for file in files]
    return [
        f"{max(file['largest_error'] for file in files):.2g}",
        *("equal" if value == math.inf else f"{value:.1f}" for value in (min(to_torch), statistics.median(to_torch))),
        f"{max(losses):.3f}",
        f"{statistics.median(losses):.3f}",
        f"{max((drift(file) for file in files), key=abs):+.2f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("network", nargs="*", help="RUN#TRIAL, a model folder, or what else `export` takes")
    parser.add_argument("--again", action="store_true", help="export networks anew whose figures are there")
    parser.add_argument("--input", default=SIZE, metavar="WxH", help=f"(default: {SIZE})")
    options = parser.parse_args()
    for form in FORMATS.values():
        form.require()
    options.folder.mkdir(parents=True, exist_ok=True)
    path = options.folder / RECORDS
    records: dict[str, Record] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    for name in options.network:
        if name not in records or options.again:
            records[name] = exported(name, options.input)
            write_text_atomically(path, json.dumps(records, indent=1) + "\n")
            print(f"{name}: {records[name]['seconds']:.0f} s", flush=True)
    write_csv_atomically(options.folder / TABLE, rows_of(records))
    write_text_atomically(options.folder / PAGE, "\n".join(page(options.folder, records, options.input)) + "\n")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
