"""From the published files of mobile-ml-benchmark to the two small ones that ship with this package.

Nothing is changed but the layout: GPU and PyTorch Mobile timings are left out, as are PyTorch's convolutions, which
the list of TensorFlow Lite has as well.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable
from pathlib import Path

from space.files import write_atomically, write_csv_atomically

DATA = Path(__file__).parent / "data"
NETWORKS = DATA / "networks.csv.gz"
MEASUREMENTS = DATA / "end_to_end.csv"
ENGINE, ENGINE_VERSION = "TensorFlow Lite", "2.10.0"
REPOSITORY = "qed-usc/mobile-ml-benchmark"
COMMIT = "40ba833a9ca560a3035a76a5c3da504082dec001"
LICENCE, COPYRIGHT = "MIT", "Copyright (c) 2024 Zhuojin"

NETWORK_COLUMNS = (
    "network",
    "list",
    "operator",
    "in_channels",
    "filters",
    "kernel",
    "stride",
    "groups",
    "in_size",
    "out_size",
)
# Element-wise operators, which the list of TensorFlow Lite lacks.
PYTORCH_OPERATORS = ("add", "mul", "hardswish", "sigmoid", "clamp", "run_batchnorm_context")
DEVICES = {
    "Google Pixel 4": ("pixel4", {"large": "a76", "med": "a76m", "small": "a55"}),
    "Samsung Galaxy S10": ("s10", {"large": "m4", "med": "a75", "small": "a55"}),
    "Xiaomi Mi 8 SE": ("mi8se", {"large": "a75", "small": "a55"}),
    "Samsung Galaxy A03s": ("a03s", {"large": "a53", "small": "a53s"}),
    "Apple iPhone 7": ("iphone7", {"large": "hurricane"}),
    "Apple iPhone XS": ("iphonexs", {"large": "vortex", "small": "tempest"}),
}


def table_name(device: str, core_config: str, threads: int, dtype: str) -> str:
    """``pixel4-a76m-2t-int8`` of the source's ``2med``; cores of two kinds are joined: ``pixel4-a76+a76m-2t``."""
    prefix, cores = DEVICES[device]
    kinds = "".join(letter if letter.isalpha() else " " for letter in core_config).split()
    core = "+".join(cores[kind] for kind in kinds)
    return f"{prefix}-{core}" + (f"-{threads}t" if threads > 1 else "") + ("-int8" if dtype == "int8" else "")


def convert(folder: Path) -> None:
    """Write the shipped files from the published ones in ``folder`` (their names: PROVENANCE.md in the data folder)."""
    _write_networks(_rows(folder / "tflite_cnn_real_oplist.csv"), _rows(folder / "torch_cnn_real_oplist.csv"), NETWORKS)
    _write_measurements(_rows(folder / "cnn_real_e2e.csv"), MEASUREMENTS)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _write_networks(tflite: list[dict[str, str]], pytorch: list[dict[str, str]], path: Path) -> None:
    lines: list[tuple[str, ...]] = []
    for row in tflite:
        sizes = (row["kernel"], row["stride"], row["groups"], row["in_hw"], row["out_hw"])
        lines.append((row["model"], "tflite", row["op"], row["in_ch"], row["filter"], *sizes))
    for row in pytorch:
        operator = row["op"].split("::")[1]
        if operator in PYTORCH_OPERATORS:
            channels, size = row["input_channel"].removesuffix(".0"), row["input_shape"]
            lines.append((row["model"], "pytorch", operator, channels, "-", "-", "-", "-", size, size))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(NETWORK_COLUMNS)
    writer.writerows(lines)
    write_atomically(path, gzip.compress(text.getvalue().encode(), mtime=0))


def _write_measurements(rows: Iterable[dict[str, str]], path: Path) -> None:
    """One line per core set and dtype, one column of mean milliseconds per network."""
    sets: dict[tuple[str, ...], dict[str, str]] = {}
    for row in rows:
        if row["engine"] == ENGINE:
            name = table_name(row["device"], row["core_config"], int(row["threads"]), row["dtype"])
            key: tuple[str, ...] = (name, row["device"], row["soc"], row["core"], row["threads"], row["dtype"])
            sets.setdefault(key, {})[row["model"]] = row["latency_ms"]
    networks = list(next(iter(sets.values())))
    header = ("table", "device", "soc", "core", "threads", "dtype", *networks)
    lines = ((*key, *(latency_ms[network] for network in networks)) for key, latency_ms in sets.items())
    write_csv_atomically(path, (header, *lines))
