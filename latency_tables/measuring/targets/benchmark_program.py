"""The benchmark programs that come with the engines: how each is called and what it prints.

A phone has no Python, so the engine's own program times the models there. It prints a summary instead of every run, so
a timing holds one number: the median where the program prints one, else the mean.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Protocol

from latency_tables.measuring.targets.session import Job, ModelFailedError
from space.errors import UserError
from space.terminal import shortened

NUMBER = r"([0-9.]+(?:e[+-]?[0-9]+)?)"


class BenchmarkProgram(Protocol):
    """One program, called once per model."""

    @property
    def suffix(self) -> str:
        """Of a model's file."""

    def arguments(self, job: Job, model: str) -> str:
        """What stands after the program's path; ``model`` is the file's path on the device."""

    def latency_ms(self, output: str) -> float:
        """Raises: ModelFailedError."""


@dataclass(frozen=True)
class _BenchmarkModel:
    """TensorFlow Lite's and LiteRT's ``benchmark_model``.

    Every phase ends with a line of statistics in microseconds, ``count=50 first=.. curr=.. min=.. max=.. avg=..
    std=..``, which newer programs continue with ``p5=.. median=.. p95=..`` and which shrinks to ``count=1 curr=..``
    when all runs are equal. The last such line is that of the measured runs; before it stands that of the warm-up.

    Source: TensorFlow, tensorflow/lite/tools/benchmark/benchmark_model.cc and README.md.
    """

    suffix: str = ".tflite"

    def arguments(self, job: Job, model: str) -> str:
        return (
            f"--graph={model} --num_threads={job.threads} --use_xnnpack=true --warmup_runs={job.warmup} "
            f"--warmup_min_secs=0 --num_runs={job.repeats} --min_secs=0 --max_secs={job.budget_s:g}"
        )

    def latency_ms(self, output: str) -> float:
        lines = [line for line in output.splitlines() if re.search(r"\bcount=\d+ ", line)]
        if not lines or "Inference timings in us" not in output:
            raise ModelFailedError(error_line(output) or "benchmark_model printed no timings")
        for key in ("median", "avg", "curr"):
            found = re.search(rf"\b{key}={NUMBER}", lines[-1])
            if found:
                return _positive(found[1], lines[-1]) / 1e3
        raise ModelFailedError(f"benchmark_model printed no latency in {lines[-1]!r}")


@dataclass(frozen=True)
class _MnnBenchmark:
    """MNN's ``benchmark.out``: a folder of models, then runs, warm-up, 0 for the CPU, threads, 1 for fp32.

    It prints ``[ - ] NAME  max = .. ms  min = .. ms  avg = .. ms`` per model and cannot be given a time limit.

    Source: MNN, benchmark/benchmark.cpp.
    """

    suffix: str = ".mnn"

    def arguments(self, job: Job, model: str) -> str:
        folder = model.rpartition("/")[0]
        return f"{folder} {job.repeats} {job.warmup} 0 {job.threads} 1"

    def latency_ms(self, output: str) -> float:
        found = re.search(rf"^\[ - \].*\bavg\s*=\s*{NUMBER}\s*ms", output, re.MULTILINE)
        if not found:
            raise ModelFailedError(error_line(output) or "benchmark.out printed no timings")
        return _positive(found[1], found[0])


PROGRAMS: dict[str, BenchmarkProgram] = {"litert": _BenchmarkModel(), "mnn": _MnnBenchmark()}


def benchmark_program(engine: str) -> BenchmarkProgram:
    """The program of ``engine``."""
    try:
        return PROGRAMS[engine]
    except KeyError:
        raise UserError(
            f"a phone over adb is measured with the engine's own program, and none is known for {engine!r}; "
            f"known: {', '.join(PROGRAMS)}"
        ) from None


def error_line(output: str) -> str:
    """The last line that is an error, else the last line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [
        line for line in lines if re.match(r"(error|fatal|f |e )|.*\b(failed|cannot|segmentation|abort)", line, re.I)
    ]
    return (errors or lines or [""])[-1]


def _positive(number: str, line: str) -> float:
    try:
        latency = float(number)
    except ValueError:  # 1.2.3
        latency = math.nan
    if not 0 < latency < math.inf:
        raise ModelFailedError(f"a latency must be positive, got {shortened(line.strip(), 200)!r}")
    return latency
