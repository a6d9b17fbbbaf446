"""A phone over adb, with a stand-in that checks every command line and plays the phone's part."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from latency_tables.measuring.targets import android
from latency_tables.measuring.targets.adb import AdbSession
from latency_tables.measuring.targets.arm_cores import core_name, named_cores
from latency_tables.measuring.targets.benchmark_program import PROGRAMS
from latency_tables.measuring.targets.session import ConnectionLostError, Job, ModelFailedError
from latency_tables.measuring.targets.target import open_session
from space.errors import UserError
from tests.latency_tests.stand_in_programs import BINARIES, BINARY, Phone, stand_in_adb


@pytest.fixture
def phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Phone:
    """A stand-in for adb, alone on the PATH."""
    (tmp_path / "bin").mkdir()
    stand_in_adb(tmp_path / "bin")
    (tmp_path / "phone").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PHONE", str(tmp_path / "phone"))
    return Phone(tmp_path / "phone")


@pytest.fixture
def open_phone(phone: Phone, tmp_path: Path) -> Iterator[Callable[..., AdbSession]]:
    sessions: list[AdbSession] = []

    def open_(engine: str = "litert", serial: str = "PIXEL4", cores: tuple[int, ...] = (7,)) -> AdbSession:
        binary = tmp_path / BINARIES[engine]
        binary.write_bytes(BINARY)
        sessions.append(AdbSession(serial, engine, binary, cores=cores))
        return sessions[-1]

    yield open_
    for session in sessions:
        session.close()


def job(kind: str) -> Job:
    return Job(kind, kind.encode(), threads=1, cores=(7,))


def test_describes_the_phone(open_phone: Callable[..., AdbSession]) -> None:
    device = open_phone().describe()
    assert device.identity == {
        "device": "Google Pixel 4",
        "soc": "msmnile",
        "machine": "arm64-v8a",
        "cpu": "Kryo 4xx Gold (Cortex-A76)",
        "hostname": "PIXEL4",
        "cores": [7],
        "threads": 1,
        "engine": "litert",
        "engine_version": f"benchmark_model sha256 {hashlib.sha256(BINARY).hexdigest()[:12]}",
    }
    assert device.state["governor"] == "schedutil"
    assert device.state["clock_mhz"] == 2419.2
    assert device.state["top_clock_mhz"] == {
        0: 1785.6,
        1: 1785.6,
        2: 1785.6,
        3: 1785.6,
        4: 2419.2,
        5: 2419.2,
        6: 2419.2,
        7: 2841.6,
    }
    assert (device.state["temperature_c"], device.state["battery_c"]) == (44, 28.5)
    assert device.state["system"] == "Android 13"


@pytest.mark.parametrize(("kind", "latency_ms"), [("new", 12.41), ("old", 12.5), ("single", 12.6)])
def test_times_a_model_with_old_and_new_programs(
    open_phone: Callable[..., AdbSession], kind: str, latency_ms: float
) -> None:
    timing = open_phone().time(job(kind))
    assert timing.name == kind
    assert timing.runs_ms == pytest.approx((latency_ms,))
    assert (timing.clock_mhz, timing.temperature_c) == (2419.2, 44)


def test_times_a_model_with_mnn(open_phone: Callable[..., AdbSession]) -> None:
    assert open_phone("mnn").time(job("any")).runs_ms == (7.25,)


def test_pushes_once_and_leaves_nothing_behind(
    open_phone: Callable[..., AdbSession], phone: Phone, tmp_path: Path
) -> None:
    (tmp_path / "libengine.so").write_bytes(b"\x7fELF")
    session = open_phone()
    for kind in ("new", "old", "new", "new"):
        session.time(job(kind))
    assert phone.files() == ["benchmark_model", "libengine.so", "model.tflite", "model.tflite"]
    assert sum(" push " in line for line in phone.commands()) == 4
    session.close()
    assert phone.files() == []


def test_a_program_that_prints_no_latency_fails_the_model(open_phone: Callable[..., AdbSession]) -> None:
    with pytest.raises(ModelFailedError, match="STARTING!"):
        open_phone().time(job("silent"))


@pytest.mark.parametrize(
    ("kind", "message"), [("unplug", r"phone PIXEL4 is gone \(error: closed\)"), ("cut", "broke off in the middle")]
)
def test_a_phone_that_goes_away_is_lost(open_phone: Callable[..., AdbSession], kind: str, message: str) -> None:
    session = open_phone()
    session.time(job("new"))
    with pytest.raises(ConnectionLostError, match=message):
        session.time(job(kind))


def test_a_phone_that_is_not_there_is_one_line(open_phone: Callable[..., AdbSession]) -> None:
    with pytest.raises(UserError, match=r"adb has no phone 'OTHER' ready to use; attached: PIXEL4 \(device\)"):
        open_phone(serial="OTHER").describe()


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("unauthorized", "allow USB debugging on its screen"),
        ("foreign", r"does not run on phone PIXEL4 \(.*not executable: 64-bit ELF file\); .* Android, arm64-v8a"),
        ("full", "cannot put benchmark_model on phone PIXEL4: adb: error: .* No space left on device"),
    ],
)
def test_a_phone_or_program_that_refuses_is_one_line(
    open_phone: Callable[..., AdbSession], phone: Phone, fault: str, message: str
) -> None:
    phone.fault(fault)
    with pytest.raises(UserError, match=message) as caught:
        open_phone().describe()
    assert "\n" not in str(caught.value)
    assert phone.files() == []


def test_a_core_that_is_not_there_is_one_line(open_phone: Callable[..., AdbSession], phone: Phone) -> None:
    with pytest.raises(UserError, match=r"cannot run on cores 9: taskset: .*Invalid argument"):
        open_phone(cores=(9,)).describe()
    assert phone.files() == []


def test_a_missing_adb_or_program_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "benchmark_model").write_bytes(b"")
    with pytest.raises(UserError, match="needs the program adb"):
        AdbSession("PIXEL4", "litert", tmp_path / "benchmark_model").describe()
    with pytest.raises(UserError, match="needs --benchmark-binary PATH"):
        open_session("adb:PIXEL4", "litert")
    with pytest.raises(UserError, match=r"must be a file, .* got .*absent"):
        open_session("adb:PIXEL4", "litert", benchmark_binary=tmp_path / "absent")
    with pytest.raises(UserError, match="none is known for 'ncnn'; known: litert, mnn"):
        open_session("adb:PIXEL4", "ncnn", benchmark_binary=tmp_path / "benchmark_model")


def test_a_latency_of_zero_is_no_latency() -> None:
    output = "count=1 curr=0\nInference timings in us: Init: 1, First inference: 0, Warmup (avg): 0, Inference (avg): 0"
    with pytest.raises(ModelFailedError, match="must be positive"):
        PROGRAMS["litert"].latency_ms(output)


def test_what_a_phone_does_not_tell_is_none() -> None:
    empty = dict.fromkeys(["properties", "cpuinfo", "governor", "clock", "top", "zones", "battery"], "")
    identity, state = android.describe(empty, (0,))
    assert identity == {"device": None, "soc": None, "machine": None, "cpu": None}
    assert state["clock_mhz"] is state["temperature_c"] is state["battery_c"] is state["governor"] is None


def test_core_names() -> None:
    assert core_name("0x41", "0xd0b") == "Cortex-A76"
    assert core_name("0x61", "0x022") == "implementer 0x61 part 0x022"
    assert named_cores("implementer 0x41 part 0xd0b, BCM2712") == "Cortex-A76, BCM2712"
    assert named_cores("AMD EPYC") == "AMD EPYC"
