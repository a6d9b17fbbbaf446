"""Names of Arm cores by the numbers that ``/proc/cpuinfo`` gives of them.

Source of the numbers: Linux, arch/arm64/include/asm/cputype.h, and util-linux, sys-utils/lscpu-arm.c.
"""

from __future__ import annotations

import re

ARM, QUALCOMM, SAMSUNG = 0x41, 0x51, 0x53  # implementers

CORES: dict[tuple[int, int], str] = {
    (ARM, 0xD03): "Cortex-A53",
    (ARM, 0xD04): "Cortex-A35",
    (ARM, 0xD05): "Cortex-A55",
    (ARM, 0xD07): "Cortex-A57",
    (ARM, 0xD08): "Cortex-A72",
    (ARM, 0xD09): "Cortex-A73",
    (ARM, 0xD0A): "Cortex-A75",
    (ARM, 0xD0B): "Cortex-A76",
    (ARM, 0xD0D): "Cortex-A77",
    (ARM, 0xD41): "Cortex-A78",
    (ARM, 0xD44): "Cortex-X1",
    (ARM, 0xD46): "Cortex-A510",
    (ARM, 0xD47): "Cortex-A710",
    (ARM, 0xD48): "Cortex-X2",
    (ARM, 0xD4D): "Cortex-A715",
    (ARM, 0xD4E): "Cortex-X3",
    (ARM, 0xD80): "Cortex-A520",
    (ARM, 0xD81): "Cortex-A720",
    (ARM, 0xD82): "Cortex-X4",
    (QUALCOMM, 0x800): "Kryo 2xx Gold (Cortex-A73)",
    (QUALCOMM, 0x801): "Kryo 2xx Silver (Cortex-A53)",
    (QUALCOMM, 0x802): "Kryo 3xx Gold (Cortex-A75)",
    (QUALCOMM, 0x803): "Kryo 3xx Silver (Cortex-A55)",
    (QUALCOMM, 0x804): "Kryo 4xx Gold (Cortex-A76)",
    (QUALCOMM, 0x805): "Kryo 4xx Silver (Cortex-A55)",
    (SAMSUNG, 0x001): "Exynos M1",
    (SAMSUNG, 0x002): "Exynos M3",
    (SAMSUNG, 0x003): "Exynos M4",
}


def core_name(implementer: str, part: str) -> str:
    """The core's name, or its numbers where it has none here; both are hexadecimal, as ``0x41`` and ``0xd0b``."""
    try:
        return CORES[int(implementer, 16), int(part, 16)]
    except (KeyError, ValueError):
        return f"implementer {implementer} part {part}"


def named_cores(text: str) -> str:
    """``text`` with names for the numbers that the agent gives of Arm cores (``implementer 0x41 part 0xd0b``)."""
    return re.sub(r"implementer (\S+) part ([^\s,]+)", lambda found: core_name(found[1], found[2]), text)


def core_names(cpuinfo: str) -> dict[int, str]:
    """The name of each core that a text like ``/proc/cpuinfo`` describes, by its number."""
    names: dict[int, str] = {}
    for entry in cpuinfo.split("\n\n"):
        fields = {
            key.strip().lower(): value.strip() for key, _, value in (line.partition(":") for line in entry.splitlines())
        }
        number = fields.get("processor", "")
        if number.isdigit() and "cpu part" in fields:
            names[int(number)] = core_name(fields.get("cpu implementer", "?"), fields["cpu part"])
    return names
