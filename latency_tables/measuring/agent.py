"""The agent: runs on the device that is measured, and times the models that it is sent.

One file on its own, and longer than others for that: it is all that is copied to the device. It needs Python 3.9,
numpy and the engine, and nothing of this project. It reads requests from standard input and answers each on standard
output, one JSON object a line; what an engine prints goes to standard error. An ``id`` in a request comes back in its
answer.

    {"do": "describe", "engine": "litert", "cores": [4], "threads": 1}  ->  {"identity": {...}, "state": {...}}
    {"do": "load", "name": "a", "model": base64 of zlib}                ->  {"loaded": "a", "bytes": 1234}
    {"do": "time", "name": "a", "engine": "litert", "threads": 1, "cores": [4],
     "warmup": 2, "repeats": 10, "budget_s": 2.0}
        ->  {"runs_ms": [...], "busy_ms": [...], "clock_mhz": ..., "temperature_c": ...}
    {"do": "bye"}                                                       ->  {"bye": true}, and it ends

A failure is ``{"error": "one line", "of": "model"}`` (this model does not run here) or ``"of": "agent"`` (nothing
will: no such engine, no such core, a request that makes no sense).
"""

from __future__ import annotations

import base64
import contextlib
import gc
import glob
import importlib
import json
import os
import platform
import sys
import tempfile
import time
import zlib

import numpy as np

PROTOCOL = 1


class _AgentError(Exception):
    """Nothing can be measured as asked."""


class LiteRT:
    """LiteRT, or TensorFlow Lite as it was called before: the interpreter with XNNPACK."""

    PACKAGES = ("ai_edge_litert", "tflite_runtime")
    INSTALL = "ai-edge-litert"

    def __init__(self):
        self.package, interpreter = _import_first(
            "litert", tuple(name + ".interpreter" for name in self.PACKAGES), self.INSTALL
        )
        self.interpreter = interpreter.Interpreter

    def version(self):
        return _package_version(self.package, {"ai_edge_litert": "ai-edge-litert"}.get(self.package))

    def prepare(self, model, threads):
        """A function that runs the model once."""
        interpreter = self.interpreter(model_content=model, num_threads=threads)
        interpreter.allocate_tensors()
        for entry in interpreter.get_input_details():
            interpreter.set_tensor(entry["index"], pattern(entry["shape"]).astype(entry["dtype"]))
        return interpreter.invoke


class MNN:
    """MNN's session interface, on the CPU in fp32."""

    PACKAGES = ("MNN",)
    INSTALL = "MNN"

    def __init__(self):
        self.package, self.mnn = _import_first("mnn", self.PACKAGES, self.INSTALL)

    def version(self):
        return _package_version("MNN", "MNN")

    def prepare(self, model, threads):
        handle, path = tempfile.mkstemp(suffix=".mnn")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(model)
            interpreter = self.mnn.Interpreter(path)
        finally:
            os.unlink(path)
        session = interpreter.createSession({"backend": "CPU", "precision": "high", "numThread": threads})
        for tensor in interpreter.getSessionInputAll(session).values():
            host = self.mnn.Tensor(
                tensor.getShape(), self.mnn.Halide_Type_Float, pattern(tensor.getShape()), tensor.getDimensionType()
            )
            tensor.copyFrom(host)

        def run():
            code = interpreter.runSession(session)
            if code:
                raise RuntimeError("MNN's runSession answered " + str(code))

        return run


ENGINES = {"litert": LiteRT, "mnn": MNN}


def _import_first(engine, names, install):
    """(Top package, module) of the first of ``names`` that can be imported."""
    for name in names:
        try:
            return name.split(".")[0], importlib.import_module(name)
        except ImportError:
            continue
    raise _AgentError(f"engine {engine} is not installed on {platform.node()}: python -m pip install {install}")


def _package_version(package, distribution):
    module = importlib.import_module(package)
    if getattr(module, "__version__", None):
        return str(module.__version__)
    from importlib import metadata

    return metadata.version(distribution or package)


def pattern(shape):
    """Values in (0, 1), the same every time, none so small that it is denormal."""
    count = int(np.prod(shape))
    return (np.arange(count, dtype=np.float32) % 251 + 1).reshape(shape) / np.float32(256)


def pin(cores, everything):
    """Run on ``cores`` only, or on all that this process was given."""
    if not hasattr(os, "sched_setaffinity"):
        if cores:
            raise _AgentError(platform.system() + " cannot pin a process to cores; leave --cores away")
        return
    try:
        os.sched_setaffinity(0, cores or everything)
    except OSError:
        raise _AgentError(f"there is no core set {cores} here; there are {sorted(everything)}") from None


def read_text(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return None


def clock_mhz(cores):
    """Mean clock of ``cores`` (of all, if empty) in MHz, or None where it cannot be read."""
    found = []
    for core in cores or range(os.cpu_count() or 1):
        text = read_text(f"/sys/devices/system/cpu/cpu{core}/cpufreq/scaling_cur_freq")
        if text and text.isdigit():
            found.append(int(text) / 1000)
    if not found:
        lines = [line.split(":") for line in (read_text("/proc/cpuinfo") or "").splitlines() if "cpu MHz" in line]
        found = [float(value) for index, (_, value) in enumerate(lines) if not cores or index in cores]
    return round(sum(found) / len(found), 1) if found else None


def temperature_c():
    """The hottest thermal zone in degrees Celsius, or None where none can be read."""
    found = []
    for path in glob.glob("/sys/class/thermal/thermal_zone*/temp"):
        text = read_text(path)
        if text and text.lstrip("-").isdigit():
            value = int(text) / (1000 if abs(int(text)) > 1000 else 1)
            if 0 < value < 150:
                found.append(value)
    return max(found) if found else None


def governor(cores):
    found = {
        read_text(f"/sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor")
        for core in cores or range(os.cpu_count() or 1)
    }
    return ", ".join(sorted(found - {None})) or None


def cpu_model(cores):
    """The processor's name; on Arm the part numbers of the cores, as the kernel gives them."""
    entries, entry = [], {}
    for line in [*(read_text("/proc/cpuinfo") or "").splitlines(), ""]:
        key, _, value = line.partition(":")
        if key.strip():
            entry[key.strip().lower()] = value.strip()
        elif entry:
            entries.append(entry)
            entry = {}
    wanted = [e for e in entries if not cores or (e.get("processor", "").isdigit() and int(e["processor"]) in cores)]
    names = []
    for e in wanted or entries:
        name = e.get("model name")
        if not name and "cpu part" in e:
            name = "implementer {} part {}".format(e.get("cpu implementer", "?"), e["cpu part"])
        if name and name not in names:
            names.append(name)
    hardware = next((e["hardware"] for e in entries if e.get("hardware")), None)
    return ", ".join(names + ([hardware] if hardware else [])) or platform.processor() or platform.machine()


def board():
    """What a board's device tree calls it, such as "Raspberry Pi 4 Model B Rev 1.4"; None on a machine without one."""
    return (read_text("/proc/device-tree/model") or "").strip(" \0\n") or None


class _Agent:
    """Answers requests one by one."""

    def __init__(self):
        self.engines = {}
        self.models = {}
        self.everything = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()

    def engine(self, name):
        if name not in ENGINES:
            raise _AgentError("unknown engine {!r}; known: {}".format(name, ", ".join(ENGINES)))
        if name not in self.engines:
            self.engines[name] = ENGINES[name]()
        return self.engines[name]

    def describe(self, request):
        cores = request.get("cores") or []
        engine = self.engine(request["engine"])
        pin(cores, self.everything)
        return {
            "identity": {
                "hostname": platform.node(),
                "device": board(),
                "machine": platform.machine(),
                "cpu": cpu_model(cores),
                "cores": cores,
                "threads": request["threads"],
                "engine": request["engine"],
                "engine_version": engine.version(),
            },
            "state": {
                "system": platform.system() + " " + platform.release(),
                "python": platform.python_version(),
                "governor": governor(cores),
                "clock_mhz": clock_mhz(cores),
                "temperature_c": temperature_c(),
                "load": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
                "protocol": PROTOCOL,
            },
        }

    def load(self, request):
        model = zlib.decompress(base64.b64decode(request["model"]))
        self.models[request["name"]] = model
        return {"loaded": request["name"], "bytes": len(model)}

    def time(self, request):
        cores = request.get("cores") or []
        engine = self.engine(request["engine"])
        if request["name"] not in self.models:
            raise _AgentError("model {!r} was never loaded".format(request["name"]))
        pin(cores, self.everything)
        try:
            run = engine.prepare(self.models[request["name"]], request["threads"])
            runs_ms, busy_ms = timed(run, request["warmup"], request["repeats"], request["budget_s"])
        except Exception as error:
            words = " ".join(str(error).split()) or type(error).__name__
            return {"error": words, "of": "model"}
        return {"runs_ms": runs_ms, "busy_ms": busy_ms, "clock_mhz": clock_mhz(cores), "temperature_c": temperature_c()}

    def answer(self, request):
        actions = {"describe": self.describe, "load": self.load, "time": self.time, "bye": lambda _: {"bye": True}}
        try:
            if request.get("do") not in actions:
                raise _AgentError("unknown request {!r}".format(request.get("do")))
            return actions[request["do"]](request)
        except _AgentError as error:
            return {"error": str(error), "of": "agent"}
        except (KeyError, TypeError, ValueError, zlib.error) as error:
            return {"error": f"bad request: {type(error).__name__}: {error}", "of": "agent"}


def timed(run, warmup, repeats, budget_s):
    """Milliseconds of each measured run, and processor time of all threads in it.

    At least one run, and no further one once ``budget_s`` seconds are used up. A run that took longer than its threads
    were busy was interrupted.
    """
    end = time.perf_counter() + budget_s
    for _ in range(warmup):
        run()
        if time.perf_counter() > end:
            break
    runs_ms, busy_ms = [], []
    gc.disable()
    try:
        for _ in range(max(1, repeats)):
            busy, start = time.process_time(), time.perf_counter()
            run()
            stop, done = time.perf_counter(), time.process_time()
            runs_ms.append(round((stop - start) * 1e3, 6))
            busy_ms.append(round((done - busy) * 1e3, 6))
            if stop > end:
                break
    finally:
        gc.enable()
    return runs_ms, busy_ms


def main():
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever the engine prints must not mix with the answers
    agent = _Agent()
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        for line in sys.stdin:
            if not line.strip():
                continue
            try:
                request = json.loads(line)
                answer = agent.answer(request)
            except (ValueError, AttributeError):
                request, answer = {}, {"error": "a request must be one JSON object a line", "of": "agent"}
            if "id" in request:
                answer["id"] = request["id"]
            answers.write(json.dumps(answer) + "\n")
            answers.flush()
            if request.get("do") == "bye":
                return


if __name__ == "__main__":
    main()
