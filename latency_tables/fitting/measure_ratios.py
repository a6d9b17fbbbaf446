"""``python -m latency_tables.fitting.measure_ratios FILE [CLASS ...]``: measure the shipped operator_ratios.csv again.

Each operator is timed at several sizes beside an addition and 3x3 convolutions, in LiteRT with its own kernels, on one
thread of this machine. Prices of its terms come from a non-negative fit to its times, and are divided by the price of
the reference. With classes named, only theirs are measured and put into FILE.
"""

from __future__ import annotations

import argparse
import csv
import math
import platform
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.optimize import nnls

from latency_tables.fitting.one_operator import MakeModel, Model, convolution, elementwise, mirrored, moved
from latency_tables.fitting.ratios import COLUMNS
from latency_tables.lowering.operators import EngineOperator
from latency_tables.measuring.agent import cpu_model
from latency_tables.tables.classes import TERMS
from latency_tables.tables.relatives import Z90
from space.files import write_csv_atomically

SIZES = ((90, 160, 16), (180, 320, 16), (180, 320, 48), (360, 640, 16))  # height, width, channels: larger than a cache
CONV_SIZES = ((180, 320, 16), (180, 320, 32), (90, 160, 64))
CONVOLUTIONS = ("transposed_conv",)
UPSAMPLED_SIZES = ((90, 160, 16), (90, 160, 32), (45, 80, 64))
ROUNDS = 7
# Of a ratio between this machine's processor and a phone's: no measurement, a cautious guess. An int8 addition is
# arithmetic that each processor does in its own way, so what only moves bytes compares worse with it.
PHONE_ERROR = {"fp32": 0.5, "int8": 0.8}
ADD = elementwise("ADD", "add", "", inputs=2, options=("AddOptions", {"fusedActivationFunction": 0}))
_RESIZE = {"halfPixelCenters": True}
_ELEMENTS = {"M elements": "pass"}
# Class of a table, the terms of its price with what each is compared to, and makers of models that it is measured by.
MEASURED: Mapping[str, tuple[Mapping[str, str], tuple[MakeModel, ...]]] = {
    "activation relu": (_ELEMENTS, (elementwise("RELU", "activation", "relu"),)),
    "activation prelu": (_ELEMENTS, (elementwise("PRELU", "activation", "prelu"),)),
    "activation exponential": ({"M elements": "work"}, (elementwise("LOGISTIC", "activation", "sigmoid"),)),
    "activation gelu": (
        {"M elements": "work"},
        (elementwise("GELU", "activation", "gelu", options=("GeluOptions", {})),),
    ),
    "softmax": (
        {"M elements": "work"},
        (elementwise("SOFTMAX", "softmax", "", options=("SoftmaxOptions", {"beta": 1.0})),),
    ),
    "copy": (_ELEMENTS, (moved("TRANSPOSE", "copy", "", 1, ("TransposeOptions", {})),)),
    "pixel_shuffle": (
        {"M elements": "pass", "M pixels": "work"},
        tuple(
            moved("DEPTH_TO_SPACE", "pixel_shuffle", "", factor, ("DepthToSpaceOptions", {"blockSize": factor}))
            for factor in (2, 4)
        ),
    ),
    "pixel_unshuffle": (
        _ELEMENTS,
        (moved("SPACE_TO_DEPTH", "pixel_unshuffle", "", 2, ("SpaceToDepthOptions", {"blockSize": 2})),),
    ),
    "resize nearest": (
        {"M elements": "pass", "M pixels": "work"},
        tuple(
            moved("RESIZE_NEAREST_NEIGHBOR", "resize", "nearest", factor, ("ResizeNearestNeighborOptions", _RESIZE))
            for factor in (2, 4)
        ),
    ),
    "resize bilinear": (
        {"M elements": "work", "M pixels": "work"},
        tuple(
            moved("RESIZE_BILINEAR", "resize", "bilinear", factor, ("ResizeBilinearOptions", _RESIZE))
            for factor in (2, 4)
        ),
    ),
    "pad mirrored": ({"M elements": "work"}, (mirrored,)),
    "transposed_conv": ({"GMAC": "MAC", "M scattered elements": "window"}, (convolution(4, 2, transposed=True),)),
}
COUNTED = {  # not one operator of the engine: (passes over the activations, relative error, what was counted)
    "norm batch_norm": (2.0, 0.5, "counted: a multiplication and an addition"),
    "norm": (4.0, 0.6, "counted: mean, squared differences and their mean, scaling, addition: about four passes"),
    "traffic": (1.0, 1.0, "bound: the bytes that it moves, as an addition moves them"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("classes", nargs="*", metavar="CLASS", help=f"some of {', '.join(MEASURED)} (default: all)")
    options = parser.parse_args()
    kept: list[list[str]] = []
    if options.classes:
        with options.file.open(encoding="utf-8", newline="") as file:
            kept = [row for row in list(csv.reader(file))[1:] if row[1] not in options.classes]
    rows: list[Sequence[object]] = []
    for dtype in ("fp32", "int8"):
        rows += [*(row for row in kept if row[0] == dtype), *measure(dtype, options.classes or MEASURED)]
    write_csv_atomically(options.file, (COLUMNS, *rows))


def measure(dtype: str, classes: Collection[str]) -> list[tuple[object, ...]]:
    """Rows of operator_ratios.csv of ``classes``; those that are counted come with all of them."""
    models = {
        name: [make(dtype, *size) for make in makers for size in (UPSAMPLED_SIZES if name in CONVOLUTIONS else SIZES)]
        for name, (_, makers) in MEASURED.items()
        if name in classes
    }
    models["add"] = [ADD(dtype, *size) for size in SIZES]
    models["conv"] = [convolution(3)(dtype, *size) for size in CONV_SIZES]
    times = _best_times(models)
    one_pass = _prices(models["add"], times["add"], ("M elements",))[0]
    mac, window = _prices(models["conv"], times["conv"], ("GMAC in tiles", "M window elements"))
    own = {"pass": one_pass, "MAC": mac, "window": window, "work": math.sqrt(one_pass * mac)}
    rows: list[tuple[object, ...]] = []
    for name in (name for name in MEASURED if name in classes):
        terms, _ = MEASURED[name]
        prices = _prices(models[name], times[name], tuple(terms))
        error = math.hypot(PHONE_ERROR[dtype], _misfit(models[name], times[name], tuple(terms), prices))
        for (term, reference), price in zip(terms.items(), prices, strict=True):
            if price > 0:
                ratio = price / own[reference]
                rows.append((dtype, name, term, reference, f"{ratio:.3g}", f"{error:.2g}", _source()))
    if len(classes) == len(MEASURED):
        rows += [
            (dtype, name, "M elements", "pass", ratio, error, why) for name, (ratio, error, why) in COUNTED.items()
        ]
    return rows


def _best_times(models: Mapping[str, Sequence[Model]]) -> dict[str, list[float]]:
    """Milliseconds of every model: the shortest of several rounds over all, so that a busy moment harms none."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    runs: dict[str, list[Callable[[], None]]] = {}
    for name, listed in models.items():
        for model in listed:
            interpreter = Interpreter(
                model_content=model.content,
                num_threads=1,
                experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            )
            interpreter.allocate_tensors()
            for entry in interpreter.get_input_details():
                # Both signs in no order, so that a branch on the sign is not foreseen.
                values = np.random.default_rng(0).uniform(-2, 2, entry["shape"])
                scale = 32 if entry["dtype"] == np.int8 else 1
                interpreter.set_tensor(entry["index"], (values * scale).astype(entry["dtype"]))
            interpreter.invoke()
            runs.setdefault(name, []).append(interpreter.invoke)
    best = {name: [math.inf] * len(calls) for name, calls in runs.items()}
    for _ in range(ROUNDS):
        for name, calls in runs.items():
            for position, run in enumerate(calls):
                start = time.perf_counter()
                run()
                best[name][position] = min(best[name][position], 1e3 * (time.perf_counter() - start))
    return best


def _amounts(operators: Sequence[EngineOperator], terms: Sequence[str]) -> np.ndarray:
    return np.array([[TERMS[term](op) for term in terms] for op in operators])


def _prices(models: Sequence[Model], times: Sequence[float], terms: Sequence[str]) -> np.ndarray:
    """Milliseconds per unit of each term, by relative error."""
    amounts = _amounts([model.operator for model in models], terms)
    return nnls(amounts / np.array(times)[:, None], np.ones(len(times)))[0]


def _misfit(models: Sequence[Model], times: Sequence[float], terms: Sequence[str], prices: np.ndarray) -> float:
    """Half the 90 % band of the sizes about their fit, relative."""
    ratio = _amounts([model.operator for model in models], terms) @ prices / np.array(times)
    return float(Z90 * np.sqrt(np.mean((ratio - 1) ** 2)))


def _source() -> str:
    from importlib import metadata

    version = metadata.version("ai-edge-litert")
    return f"ratio measured on {cpu_model([])} ({platform.machine()}); LiteRT {version} without XNNPACK; 1 thread"


if __name__ == "__main__":
    main()
