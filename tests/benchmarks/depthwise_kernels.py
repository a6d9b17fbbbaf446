"""Depthwise convolutions with ever larger kernels in LiteRT, with XNNPACK and with its built-in kernels.

``python -m tests.benchmarks.depthwise_kernels`` prints a table of milliseconds: one thread of this machine, the
shortest of several rounds over all of them. The phone tables are fitted to built-in kernels (TensorFlow Lite 2.10.0
without XNNPACK); the engine of today runs XNNPACK unless it is told not to.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable

import ai_edge_litert
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from latency_tables.lowering.operators import EngineOperator
from latency_tables.measuring.agent import cpu_model, pattern
from latency_tables.measuring.engines.tflite import write_tflite

KERNELS = (3, 5, 7, 9, 13)
HOW = {"XNNPACK": OpResolverType.BUILTIN, "built-in kernels": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES}


def depthwise(kernel: int, width: int, height: int, channels: int, outputs: int) -> EngineOperator:
    read = channels * height * width
    return EngineOperator("depthwise_conv", height, width, channels, outputs * channels, read, kernel=(kernel, kernel))


def runner(op: EngineOperator, how: OpResolverType) -> Callable[[], None]:
    interpreter = Interpreter(model_content=write_tflite((op,)), num_threads=1, experimental_op_resolver_type=how)
    interpreter.allocate_tensors()
    for entry in interpreter.get_input_details():
        interpreter.set_tensor(entry["index"], pattern(entry["shape"]))
    interpreter.invoke()
    return interpreter.invoke


def best_ms(runs: list[Callable[[], None]], rounds: int) -> list[float]:
    best = [math.inf] * len(runs)
    for _ in range(rounds):
        for index, run in enumerate(runs):
            begun = time.perf_counter()
            run()
            best[index] = min(best[index], 1e3 * (time.perf_counter() - begun))
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--channels", type=int, default=32)
    parser.add_argument("--outputs", type=int, default=1, help="per channel (default: 1)")
    parser.add_argument("--input", default="160x96", help="width x height")
    parser.add_argument("--rounds", type=int, default=40)
    asked = parser.parse_args()
    width, height = map(int, asked.input.split("x"))
    models = [(kernel, how) for kernel in KERNELS for how in HOW]
    runs = [runner(depthwise(kernel, width, height, asked.channels, asked.outputs), HOW[how]) for kernel, how in models]
    found = dict(zip(models, best_ms(runs, asked.rounds), strict=True))
    about = f"LiteRT {ai_edge_litert.__version__}, {cpu_model([])}, 1 thread"
    print(f"{asked.channels} channels, {asked.outputs} outputs of each, at {asked.input}, {about}\n")
    print(f"| kernel | {' | '.join(f'{how}, ms' for how in HOW)} |")
    print("|---|" + "---|" * len(HOW))
    for kernel in KERNELS:
        print(f"| {kernel}x{kernel} | " + " | ".join(f"{found[kernel, how]:.2f}" for how in HOW) + " |")


if __name__ == "__main__":
    main()
