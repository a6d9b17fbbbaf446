"""The agent on aarch64: an emulated Python of that architecture, reached over ssh on loopback, measures with MNN.

Needs the folder that ``aarch64_root.sh`` makes, named by the environment variable LITEFRONT_AARCH64. What it proves is
the way from here to an Arm board and back; emulated milliseconds say nothing of a real core.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from latency_tables.lowering.operators import EngineOperator
from latency_tables.measuring.targets.session import Job
from latency_tables.measuring.targets.ssh import SshHost, SshSession
from tests.latency_tests.loopback import start_sshd

SIZE = {"height": 45, "width": 80}


def operator(kind: str, in_channels: int, out_channels: int, **settings: object) -> EngineOperator:
    size = {name: side * settings.get("factor", 1) for name, side in SIZE.items()}
    read = SIZE["height"] * SIZE["width"] * in_channels
    return EngineOperator(
        kind,
        **size,
        in_channels=in_channels,
        out_channels=out_channels,
        read_elements=read,
        inputs=(0,),
        output=1,
        **settings,
    )


OPERATORS = (
    operator("conv", 16, 16, kernel=(3, 3)),
    operator("conv", 16, 16),
    operator("depthwise_conv", 16, 16, kernel=(3, 3)),
    operator("pixel_shuffle", 16, 4, factor=2),
    operator("activation", 16, 16, function="relu"),
)


@pytest.mark.long
def test_an_emulated_arm_host_measures_operators_over_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("MNN", "ai_edge_litert", "flatbuffers"):
        pytest.importorskip(module)
    from latency_tables.measuring.engines.mnn import write_mnn

    folder = Path(os.environ.get("LITEFRONT_AARCH64", "aarch64"))
    emulator = shutil.which("qemu-aarch64-static") or shutil.which("qemu-aarch64")
    if emulator is None or not (folder / "root" / "usr" / "bin" / "python3.11").exists():
        pytest.skip("needs qemu-user-static and the folder LITEFRONT_AARCH64 that aarch64_root.sh makes")
    root = (folder / "root").resolve()
    python = f"{emulator} -L {root} -E PYTHONPATH={root.parent}/site {root}/usr/bin/python3.11"
    server = start_sshd(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    session = SshSession(SshHost("board"), "mnn", python=python)
    try:
        identity = session.describe().identity
        assert (identity["machine"], identity["engine"]) == ("aarch64", "mnn")
        medians = {}
        for op in OPERATORS:
            timing = session.time(Job(str(op), write_mnn([op]), threads=1, cores=(), repeats=5, budget_s=10))
            medians[str(op)] = sorted(timing.runs_ms)[len(timing.runs_ms) // 2]
            print(f"{op}: {medians[str(op)]:.2f} ms")
        assert medians[str(OPERATORS[0])] > medians[str(OPERATORS[1])]  # nine taps against one
    finally:
        session.close()
        server.terminate()
        server.wait(timeout=10)
