"""``python -m reports.networks.swaps FOLDER``: which swaps of parts remove most time from SMFANet and ZenoSR.

Every network is exported to LiteRT with each swap, checked against torch, and timed whole on this machine: all of them
in each round, in a new order. Quality is not measured. A run that was broken off continues with the same command.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import nn

from evaluators.export import Exportable, format_named
from evaluators.export.check import Shot, compared
from evaluators.export.deploy import export_form
from evaluators.export.pictures import plain_photographs
from latency_tables.lowering.fusion import network_operators
from latency_tables.lowering.operators import EngineOperator
from latency_tables.measuring.engines import engine_format
from latency_tables.measuring.measure import Harness, operator_key
from latency_tables.measuring.raw_timings import RawTimings
from latency_tables.measuring.rounds import Protocol
from latency_tables.measuring.targets.local import local_session
from latency_tables.tables.estimate import estimate
from latency_tables.tables.table import load_table
from reports import markdown
from reports.networks.swap_variants import SWAPS, Swap, parameters
from space.command_line import parse_count
from space.errors import UserError
from space.files import write_atomically, write_csv_atomically, write_text_atomically
from space.tasks import TASKS

ENGINE, TABLE, SIZE = "litert", "pixel4-a76", TASKS["sr"].input_sizes[4]
REPEATS, BUDGET_S = 3, 3.0  # runs of a network in a round
SEED, SAMPLES = 0, 4000  # of bootstrap samples of the rounds
LEAST_DB = 90.0  # against torch, peak 1
REFERENCE_CHANNELS = 32  # of the 3x3 convolution that is timed again and again
COLUMNS = (
    "network",
    "swap",
    "params",
    "rounds",
    "ms",
    "ms_low",
    "ms_high",
    "least_ms",
    "saved_ms",
    "saved_low_ms",
    "saved_high_ms",
    "saved_share",
    "least_saved_share",
    "table_ms",
    "table_saved_share",
)


@dataclass(frozen=True)
class Written:
    """A network with a swap, exported, and what ``TABLE`` predicts of it in milliseconds."""

    swap: Swap
    params: int
    model: bytes
    table_ms: float


@dataclass(frozen=True)
class Result:
    """One network with a swap. ``rounds_ms`` are medians of each round, ``base_ms`` those of the published network."""

    swap: Swap
    params: int
    rounds_ms: tuple[float, ...]
    base_ms: tuple[float, ...]
    table_ms: float
    base_table_ms: float

    @property
    def ms(self) -> float:
        return median(self.rounds_ms)

    @property
    def saved_ms(self) -> float:
        """Milliseconds less than the published network."""
        return median(self.base_ms) - self.ms

    @property
    def saved_band_ms(self) -> tuple[float, float]:
        """The 90 % interval of ``saved_ms``, of bootstrap samples of the rounds of both."""
        generator = np.random.default_rng(SEED)
        medians = [
            np.median(generator.choice(rounds, (SAMPLES, len(rounds))), axis=1)
            for rounds in (self.base_ms, self.rounds_ms)
        ]
        low, high = np.quantile(medians[0] - medians[1], (0.05, 0.95))
        return float(low), float(high)

    @property
    def share(self) -> float:
        return self.saved_ms / median(self.base_ms)

    @property
    def least_share(self) -> float:
        """Of the fastest round of each."""
        return 1 - min(self.rounds_ms) / min(self.base_ms)

    @property
    def table_share(self) -> float:
        return 1 - self.table_ms / self.base_table_ms


def written(swap: Swap, size: tuple[int, int], files: Path) -> Written:
    """The file of ``swap`` in the folder ``files``, for images of ``size`` (width, height); made if it is not there.

    Raises:
        ExportError: the converter or the engine refuses it.
        UserError: the engine computes something else than torch.
    """
    network = swap.build()
    path = files / f"{re.sub('[^a-z0-9]+', '-', swap.key.lower())}{format_named(ENGINE).suffix}"
    if not path.is_file():
        _write(swap, network, size, path)
    predicted = estimate(load_table(TABLE), network_operators(network, 3, size))
    return Written(swap, parameters(network), path.read_bytes(), predicted.ms)


def _write(swap: Swap, network: nn.Module, size: tuple[int, int], path: Path) -> None:
    form, image = format_named(ENGINE), plain_photographs(3, size, 1)[0]
    with torch.inference_mode():
        expected = network(torch.from_numpy(image)).numpy()
    scale = np.float32(max(1.0, np.abs(expected).max()))  # untrained networks leave that of an image
    with TemporaryDirectory() as folder:
        made = Path(folder, f"model{form.suffix}")
        form.write(Exportable(export_form(network, size), 3, size), made)
        figures = compared([Shot(image, expected / scale, None)], [form.open(made).run(image) / scale])
        similar = figures["psnr_to_torch_db"]
        if similar is not None and similar < LEAST_DB:
            raise UserError(f"{swap.key} must be what torch computes within {LEAST_DB} dB, got {similar:.1f} dB")
        write_atomically(path, made.read_bytes())


def results(networks: Sequence[Written], rounds_ms: Mapping[str, Sequence[float]]) -> tuple[Result, ...]:
    """Of each network against the published one, the first of its name."""
    bases: dict[str, Written] = {}
    found = []
    for each in networks:
        base = bases.setdefault(each.swap.network, each)
        own, published = (tuple(rounds_ms[one.swap.key]) for one in (each, base))
        found.append(Result(each.swap, each.params, own, published, each.table_ms, base.table_ms))
    return tuple(found)


def timed(
    networks: Sequence[Written], rounds: int, core: int | None, folder: Path
) -> tuple[dict[str, tuple[float, ...]], dict[str, Any]]:
    """Medians of each round by key, and the device's identity.

    Raises:
        UserError: a network fails in the engine.
    """
    cores = () if core is None else (core,)
    session = local_session(ENGINE, cores, threads=1)
    protocol = Protocol(1, cores, rounds, rounds, warmup=1, repeats=REPEATS, budget_s=BUDGET_S)
    try:
        device = session.describe()
        about = {"swaps": [each.swap.key for each in networks]}
        timings = RawTimings.open(folder / "timings.jsonl", device, about, operator_key(reference()))
        harness = Harness(session, engine_format(ENGINE), protocol)
        models = {each.swap.key: (lambda model=each.model: model) for each in networks}
        harness.time(models, timings, lambda total: lambda key: None)
    finally:
        session.close()
    if timings.failures:
        raise UserError(f"every network must run in {ENGINE}, got {timings.failures}")
    return {key: tuple(found[number] for number in sorted(found)) for key, found in timings.rounds.items()}, dict(
        device.identity
    )


def reference() -> EngineOperator:
    width, height = SIZE
    channels = REFERENCE_CHANNELS
    return EngineOperator("conv", height, width, channels, channels, channels * height * width, kernel=(3, 3))


def middle_half(values: Sequence[float]) -> tuple[float, float]:
    """The first and third quartile."""
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = quantiles(values, n=4, method="inclusive")
    return low, high


def rows(found: Sequence[Result]) -> Iterator[tuple[object, ...]]:
    """Cells of ``COLUMNS``."""
    yield COLUMNS
    for each in found:
        spread, least = middle_half(each.rounds_ms), min(each.rounds_ms)
        times = (each.ms, *spread, least, each.saved_ms, *each.saved_band_ms)
        yield (
            each.swap.network,
            each.swap.name,
            each.params,
            len(each.rounds_ms),
            *(f"{value:.1f}" for value in times),
            f"{each.share:.3f}",
            f"{each.least_share:.3f}",
            f"{each.table_ms:.1f}",
            f"{each.table_share:.3f}",
        )


def page(found: Sequence[Result], identity: Mapping[str, Any], command: str) -> str:
    rounds = len(found[0].rounds_ms)
    engine = f"LiteRT {identity['engine_version']} with XNNPACK, one thread of {identity['cpu']}"
    lines = [
        "# Which parts of SMFANet and ZenoSR take the time\n",
        f"One part of a network swapped or left out, all else equal: super-resolution x4 at {SIZE[0]}x{SIZE[1]}, "
        f"batch 1, fp32, {engine}. Whole networks as they are exported, with made-up weights, each compared with "
        f"torch; {rounds} rounds over all of them, each in a new order, up to {REPEATS} runs of each in a round. "
        "**What a swap does to the quality is not measured**: that takes a training. This page and `swaps.csv`: "
        f"`{command}`.\n",
        "ms: median of the rounds, and their first and third quartile. saved: how much less the median is than the "
        "published network's, with the 90 % interval of bootstrap samples of the rounds; negative where the swap takes "
        "longer. of the network: the same as a share; fastest round: that of the fastest round of each, which other "
        "work on the machine slowed least. Where the processor time of a run is less than its duration it counts, so "
        "that time in which something else had the core does not, though what shares the memory slows it. The last "
        f"column: what the table {TABLE} predicts for a Pixel 4 with TensorFlow Lite's built-in kernels.\n",
    ]
    for network in dict.fromkeys(each.swap.network for each in found):
        own = sorted((each for each in found if each.swap.network == network), key=lambda each: -each.saved_ms)
        base = next(each for each in own if not each.swap.parts and not each.swap.settings)
        low, high = middle_half(base.rounds_ms)
        spread = f"{low:.0f} to {high:.0f}; fastest round {min(base.rounds_ms):.0f}"
        lines.append(
            f"## {network}\n\nAs published: **{base.ms:.0f} ms** ({spread}), {base.params:,} "
            f"parameters; {base.table_ms:,.0f} ms predicted for {TABLE}.\n"
        )
        heads = ("swap", "params", "ms", "saved, ms", "of the network", "fastest round", TABLE)
        lines += [*markdown.table(heads, (_cells(each) for each in own if each is not base)), ""]
    return "\n".join(lines)


def _cells(each: Result) -> tuple[str, ...]:
    (first, third), (low, high) = middle_half(each.rounds_ms), each.saved_band_ms
    return (
        each.swap.name,
        f"{each.params:,}",
        f"{each.ms:.0f} ({first:.0f} to {third:.0f})",
        f"{each.saved_ms:.0f} ({low:.0f} to {high:.0f})",
        *(f"{round(share, 2) + 0.0:.0%}" for share in (each.share, each.least_share, each.table_share)),  # no -0%
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=Path, required=True, metavar="FOLDER", help="of exported files and raw timings")
    parser.add_argument("--rounds", default="7", help="over all networks (default: 7)")
    parser.add_argument("--core", help="the core that is timed (default: left to the system)")
    options = parser.parse_args()
    rounds = parse_count("--rounds", options.rounds, 1)
    core = None if options.core is None else parse_count("--core", options.core, 0)
    for folder in (options.folder, options.files):
        folder.mkdir(parents=True, exist_ok=True)
    networks = []
    for swap in SWAPS:
        networks.append(written(swap, SIZE, options.files))
        print(f"{swap.key}: written", flush=True)
    rounds_ms, identity = timed(networks, rounds, core, options.files)
    found = results(networks, rounds_ms)
    write_csv_atomically(options.folder / "swaps.csv", rows(found))
    pinned = "" if core is None else f" --core {core}"
    command = f"python -m reports.networks.swaps FOLDER --files FILES --rounds {rounds}{pinned}"
    write_text_atomically(options.folder / "README.md", page(found, identity, command))


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
