"""Stands in for adb and a phone: refuses an unexpected command, answers the others as a Pixel 4 does.

PHONE is a folder: ``log`` takes every command line, ``fault`` names what goes wrong, ``files`` is the phone's own disk.
Texts of adb's failures are those of adb 29.0.6; those of the benchmark programs follow their sources.
"""

import os
import re
import shutil
import sys
from pathlib import Path

PHONE = Path(os.environ["PHONE"])
FOLDER = r"/data/local/tmp/latency-[0-9a-f]{8}"
PROPERTIES = {
    "ro.board.platform": "msmnile",
    "ro.build.version.release": "13",
    "ro.product.cpu.abi": "arm64-v8a",
    "ro.product.manufacturer": "Google",
    "ro.product.model": "Pixel 4",
    "ro.product.name": "flame",
}
ADDRESSES = {**dict.fromkeys(range(4), "0x805"), **dict.fromkeys(range(4, 8), "0x804")}
TOP_KHZ = {**dict.fromkeys(range(4), 1785600), **dict.fromkeys(range(4, 7), 2419200), 7: 2841600}
HEAD = """INFO: STARTING!
INFO: Log parameter values verbosely: [0]
INFO: Num threads: [1]
INFO: Loaded model model.tflite
INFO: Initialized TensorFlow Lite runtime.
INFO: The input model file size (MB): 0.045
INFO: Initialized session in 5.579ms.
INFO: Running benchmark for at least 2 iterations and at least 0 seconds but terminate if exceeding 2 seconds.
INFO: count=2 first=99000 curr=98000 min=98000 max=99000 avg=98500 std=500

INFO: Running benchmark for at least 10 iterations and at least 0 seconds but terminate if exceeding 2 seconds.
"""
TAIL = (
    "INFO: Inference timings in us: Init: 5579, First inference: 99000, Warmup (avg): 98500, Inference (avg): 12500\n"
)
STATISTICS = {
    "old": "INFO: count=10 first=13000 curr=12400 min=12300 max=14000 avg=1.25e+04 std=300\n\n",
    "new": "INFO: count=10 first=13000 curr=12400 min=12300 max=14000 avg=12500 std=300 "
    "p5=12300 median=12410 p95=13900\n\n",
    "single": "INFO: count=1 curr=12600\n\n",
}


def per_core(name: str, values: dict) -> str:
    return "".join(f"/sys/devices/system/cpu/cpu{core}/cpufreq/{name}:{value}\n" for core, value in values.items())


ANSWERS = {
    "properties": "".join(f"[{key}]: [{value}]\n" for key, value in PROPERTIES.items()),
    "cpuinfo": "".join(
        f"processor\t: {core}\nCPU implementer\t: 0x51\nCPU architecture: 8\nCPU part\t: {part}\n\n"
        for core, part in ADDRESSES.items()
    )
    + "Hardware\t: Qualcomm Technologies, Inc SM8150\n",
    "governor": per_core("scaling_governor", dict.fromkeys(range(8), "schedutil")),
    "clock": per_core("scaling_cur_freq", {**dict.fromkeys(range(4), 1785600), **dict.fromkeys(range(4, 8), 2419200)}),
    "top": per_core("cpuinfo_max_freq", TOP_KHZ),
    "zones": "/sys/class/thermal/thermal_zone0/temp:41300\n/sys/class/thermal/thermal_zone1/temp:-274000\n"
    "/sys/class/thermal/thermal_zone2/temp:44\n",
    "battery": "Current Battery Service state:\n  level: 88\n  temperature: 285\n",
    "end": "",
}


def main() -> int:
    words = sys.argv[1:]
    with (PHONE / "log").open("a") as log:
        log.write(" ".join(words) + "\n")
    fault = (PHONE / "fault").read_text()
    if words == ["devices"]:
        state = "unauthorized" if fault == "unauthorized" else "device"
        print(f"List of devices attached\nPIXEL4\t{state}\n")
        return 0
    if len(words) < 3 or words[0] != "-s":
        return complain(f"unexpected adb command line: {words}", 99)
    _, serial, verb, *rest = words
    if serial != "PIXEL4" or fault == "unplugged":
        return complain(f"error: device '{serial}' not found", 1)
    if fault == "unauthorized":
        return complain(
            "error: device unauthorized.\nThis adb server's $ADB_VENDOR_KEYS is not set\n"
            "Try 'adb kill-server' if that seems wrong.\nOtherwise check for a confirmation dialog on your device.",
            1,
        )
    if verb == "get-state" and not rest:
        print("device")
        return 0
    if verb == "push" and len(rest) == 2:
        return push(Path(rest[0]), rest[1], fault)
    if verb == "shell" and len(rest) == 1:
        return shell(rest[0], fault)
    return complain(f"unexpected adb command line: {words}", 99)


def complain(text: str, status: int) -> int:
    print(text, file=sys.stderr)
    return status


def on_phone(remote: str) -> Path:
    return PHONE / "files" / remote.lstrip("/")


def push(local: Path, remote: str, fault: str) -> int:
    if fault == "full":
        return complain("adb: error: failed to copy: remote couldn't create file: No space left on device", 1)
    if not re.fullmatch(rf"{FOLDER}/([0-9a-f]{{12}}/)?[\w.]+", remote) or not on_phone(remote).parent.is_dir():
        return complain(f"unexpected push to {remote}", 99)
    shutil.copyfile(local, on_phone(remote))
    print(f"{local}: 1 file pushed, 0 skipped.")
    return 0


def shell(command: str, fault: str) -> int:
    found = re.fullmatch(rf"mkdir -p ({FOLDER}(?:/[0-9a-f]{{12}})?)", command)
    if found:
        on_phone(found[1]).mkdir(parents=True, exist_ok=True)
        return 0
    found = re.fullmatch(rf"rm -rf ({FOLDER})", command)
    if found:
        shutil.rmtree(on_phone(found[1]))
        return 0
    found = re.fullmatch(rf"chmod 755 ({FOLDER}/[\w.]+)", command)
    if found:
        on_phone(found[1]).chmod(0o755)
        return 0
    found = re.fullmatch(r"taskset ([0-9a-f]+) true 2>&1; echo ==exit \$\?", command)
    if found:
        fits = int(found[1], 16) < 1 << 8
        print("==exit 0" if fits else "taskset: failed to set pid 4711's affinity: Invalid argument\n==exit 1")
        return 0
    if command == "getprop ro.product.cpu.abi":
        print(PROPERTIES[command.split()[1]])
        return 0
    if command.startswith("echo ==properties; getprop; "):
        describe(command)
        return 0
    program = re.fullmatch(rf"cd ({FOLDER}) && LD_LIBRARY_PATH=\. (.*) 2>&1; echo ==exit \$\?(?:; (.*))?", command)
    if program:
        return run(on_phone(program[1]), program[1], program[2], program[3], fault)
    return complain(f"unexpected command in the phone's shell: {command}", 99)


def describe(command: str) -> None:
    for name in re.findall(r"echo ==(\w+)", command):
        print(f"=={name}\n{ANSWERS[name]}", end="")


def run(folder: Path, remote: str, words: str, afterwards: str, fault: str) -> int:
    """The benchmark program; PIN, if it is there, must be the mask of core 7."""
    found = re.fullmatch(r"(taskset 80 )?\./(benchmark_model|benchmark\.out) (.*)", words)
    if not found or not os.access(folder / found[2], os.X_OK):
        return complain(f"unexpected program: {words}", 99)
    if found[3] == "--help":
        if fault == "foreign":
            print(f"/system/bin/sh: ./{found[2]}: not executable: 64-bit ELF file\n==exit 126")
        else:
            print(f"usage: ./{found[2]} <flags>\n==exit 1")
        return 0
    if not found[1] or not afterwards:
        return complain(f"a run must be pinned and read clock and temperature: {words}", 99)
    model, printed, status = (
        benchmark_model(found[3], remote) if found[2] == "benchmark_model" else mnn(found[3], remote)
    )
    kind = on_phone(model).read_text()
    if kind == "crash":
        printed, status = "INFO: STARTING!\nSegmentation fault\n", 139
    elif kind == "refused":
        printed, status = (
            "ERROR: Didn't find op for builtin opcode 'X'\nERROR: Failed to initialize the interpreter\n",
            1,
        )
    elif kind == "silent":
        printed = "INFO: STARTING!\n"
    elif kind == "unplug":
        (PHONE / "fault").write_text("unplugged")
        print(printed[: len(printed) // 2], end="")
        return complain("error: closed", 1)
    elif kind == "cut":
        print(printed[: len(printed) // 2], end="")
        return 0
    elif kind in STATISTICS:
        printed = HEAD + STATISTICS[kind] + TAIL
    print(f"{printed}==exit {status}")
    describe(afterwards)
    return 0


def benchmark_model(words: str, remote: str) -> tuple:
    found = re.fullmatch(
        rf"--graph=({remote}/[0-9a-f]{{12}}/model\.tflite) --num_threads=1 --use_xnnpack=true --warmup_runs=2 "
        r"--warmup_min_secs=0 --num_runs=10 --min_secs=0 --max_secs=2",
        words,
    )
    if not found:
        sys.exit(complain(f"unexpected flags of benchmark_model: {words}", 99))
    return found[1], HEAD + STATISTICS["new"] + TAIL, 0


def mnn(words: str, remote: str) -> tuple:
    found = re.fullmatch(rf"({remote}/[0-9a-f]{{12}}) 10 2 0 1 1", words)
    if not found:
        sys.exit(complain(f"unexpected arguments of benchmark.out: {words}", 99))
    printed = (
        "MNN benchmark\nForward type: **CPU** thread=1** precision=1** sparsity=0** sparseBlockOC=1\n"
        "--------> Benchmarking... loop = 10, warmup = 2\n"
        "[ - ] model.mnn                   max =    7.512 ms  min =    7.001 ms  avg =    7.250 ms\n"
    )
    return f"{found[1]}/model.mnn", printed, 0


if __name__ == "__main__":
    sys.exit(main())
