"""Programs that stand in for adb and ssh, and what they play."""

from __future__ import annotations

import sys
from pathlib import Path

STAND_INS = Path(__file__).parent / "stand_ins"
ENGINE = STAND_INS / "engine"  # a folder of packages: LiteRT, whose models are words
BINARY = b"\x7fELF"  # no more than a name to the stand-in
BINARIES = {"litert": "benchmark_model", "mnn": "benchmark.out"}


def program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def stand_in_ssh(folder: Path) -> None:
    program(folder / "ssh", f"#!{sys.executable} -IS\n{(STAND_INS / 'fake_ssh.py').read_text()}")


def stand_in_adb(folder: Path) -> None:
    program(folder / "adb", f"#!{sys.executable} -IS\n{(STAND_INS / 'fake_adb.py').read_text()}")


class Phone:
    """What the stand-in plays: its faults, its disk and the commands that it was given."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fault("")
        (folder / "log").write_text("")
        (folder / "files").mkdir()

    def fault(self, name: str) -> None:
        (self.folder / "fault").write_text(name)

    def commands(self) -> list[str]:
        return (self.folder / "log").read_text().splitlines()

    def files(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "files").rglob("*") if path.is_file())
