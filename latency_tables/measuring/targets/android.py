"""The description of an Android phone, parsed from the output of one shell command."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from latency_tables.measuring.targets.arm_cores import core_names

PROPERTIES = (
    "ro.product.manufacturer",
    "ro.product.model",
    "ro.soc.manufacturer",
    "ro.soc.model",
    "ro.board.platform",
    "ro.product.cpu.abi",
    "ro.build.version.release",
)
CPU = "/sys/devices/system/cpu"
# Sections begin with "==NAME"; what a phone does not let the shell read is left out by it.
DESCRIBE = "; ".join(
    [
        "echo ==properties",
        "getprop",
        "echo ==cpuinfo",
        "cat /proc/cpuinfo",
        "echo ==governor",
        f"grep -H . {CPU}/cpu*/cpufreq/scaling_governor 2>/dev/null",
        "echo ==clock",
        f"grep -H . {CPU}/cpu*/cpufreq/scaling_cur_freq 2>/dev/null",
        "echo ==top",
        f"grep -H . {CPU}/cpu*/cpufreq/cpuinfo_max_freq 2>/dev/null",
        "echo ==zones",
        "grep -H . /sys/class/thermal/thermal_zone*/temp 2>/dev/null",
        "echo ==battery",
        "dumpsys battery 2>/dev/null",
        "echo ==end",
    ]
)
# What a benchmark's command ends with: clock and temperature right after the last run.
AFTERWARDS = "; ".join(
    [
        "echo ==clock",
        f"grep -H . {CPU}/cpu*/cpufreq/scaling_cur_freq 2>/dev/null",
        "echo ==zones",
        "grep -H . /sys/class/thermal/thermal_zone*/temp 2>/dev/null",
        "echo ==end",
    ]
)


def sections(output: str) -> dict[str, str]:
    """Section texts by name; the text before the first has the name ""."""
    parts = re.split(r"^==(\w+)\r?\n?", output.replace("\r\n", "\n"), flags=re.MULTILINE)
    return dict(zip(["", *parts[1::2]], parts[0::2], strict=True))


def properties(text: str) -> dict[str, str]:
    """Those of PROPERTIES that ``getprop`` printed, without empty ones."""
    found = dict(re.findall(r"^\[([^\]]+)\]: \[([^\]]*)\]$", text, re.MULTILINE))
    return {key: found[key] for key in PROPERTIES if found.get(key)}


def describe(parts: Mapping[str, str], cores: tuple[int, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(What is the same at every visit, what may change) of the phone, for a run on ``cores`` (empty: on any)."""
    known = properties(parts.get("properties", ""))
    names = core_names(parts.get("cpuinfo", ""))
    device = " ".join(filter(None, (known.get("ro.product.manufacturer"), known.get("ro.product.model"))))
    soc = " ".join(filter(None, (known.get("ro.soc.manufacturer"), known.get("ro.soc.model"))))
    governors = per_core(parts.get("governor", ""))
    top = per_core(parts.get("top", ""))
    identity = {
        "device": device or None,
        "soc": soc or known.get("ro.board.platform"),
        "machine": known.get("ro.product.cpu.abi"),
        "cpu": ", ".join(dict.fromkeys(names[core] for core in cores or sorted(names) if core in names)) or None,
    }
    state = {
        "system": f"Android {known.get('ro.build.version.release', '?')}",
        "governor": ", ".join(
            dict.fromkeys(governors[core] for core in cores or sorted(governors) if core in governors)
        )
        or None,
        "top_clock_mhz": {core: int(value) / 1e3 for core, value in sorted(top.items()) if _is_count(value)},
        "clock_mhz": clock_mhz(parts.get("clock", ""), cores),
        "temperature_c": temperature_c(parts.get("zones", "")),
        "battery_c": battery_c(parts.get("battery", "")),
    }
    return identity, state


def per_core(text: str) -> dict[int, str]:
    """Values by core, of ``grep -H .`` over files of cores."""
    return {int(core): value.strip() for core, value in re.findall(r"/cpu(\d{1,4})/cpufreq/\w+:(.*)", text)}


def _is_count(text: str) -> bool:
    return re.fullmatch("[0-9]{1,12}", text) is not None


def clock_mhz(text: str, cores: tuple[int, ...]) -> float | None:
    """Mean clock of ``cores`` in MHz (of all, if empty), or None where the phone does not tell."""
    clocks = {core: int(value) / 1e3 for core, value in per_core(text).items() if _is_count(value)}
    wanted = [clocks[core] for core in cores or clocks if core in clocks]
    return round(sum(wanted) / len(wanted), 1) if wanted else None


def temperature_c(text: str) -> float | None:
    """The hottest thermal zone in degrees Celsius, or None where none can be read."""
    found = []
    for value in re.findall(r"/temp:(-?\d{1,9})\b", text):
        degrees = int(value) / (1000 if abs(int(value)) > 1000 else 1)
        if 0 < degrees < 150:  # zones that are switched off answer nonsense
            found.append(degrees)
    return max(found) if found else None


def battery_c(text: str) -> float | None:
    """Temperature of the battery, which Android gives in tenths of a degree Celsius."""
    found = re.search(r"^\s*temperature: (\d{1,9})\b", text, re.MULTILINE)
    return int(found[1]) / 10 if found else None
