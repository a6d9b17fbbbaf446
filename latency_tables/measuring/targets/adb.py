"""A phone over adb, measured with the engine's own benchmark program."""

from __future__ import annotations

import contextlib
import hashlib
import re
import secrets
import shlex
import subprocess
import tempfile
from pathlib import Path

from latency_tables.measuring.targets import android
from latency_tables.measuring.targets.benchmark_program import benchmark_program, error_line
from latency_tables.measuring.targets.session import ConnectionLostError, Device, Job, ModelFailedError, Timing
from space.errors import UserError

FOLDER = "/data/local/tmp"  # the only place from which Android's shell user may run a program
SLACK_S = 120  # beyond a job's budget: loading, warm-up, and one run that is longer than the budget
GONE = re.compile(
    r"device '[^']*' not found|device (offline|unauthorized)|no devices/emulators found|error: closed|protocol fault",
    re.I,
)
UNFIT = re.compile(
    r"not executable|exec format error|permission denied|cannot link executable|library .* not found", re.I
)


class AdbSession:
    """An open line to the phone ``serial``: the program and each model are pushed once and removed at the end.

    ``binary`` is the engine's benchmark program built for the phone (TensorFlow Lite's ``benchmark_model``, MNN's
    ``benchmark.out``); shared libraries ``lib*.so`` that lie beside it go with it. ``cores`` become taskset's mask.

    Raises:
        UserError: adb, the program or the phone is not there or refuses, one line that says what to do.
        ConnectionLostError: the phone was there and no longer answers.
    """

    def __init__(
        self,
        serial: str,
        engine: str,
        binary: str | Path | None,
        threads: int = 1,
        cores: tuple[int, ...] = (),
        engine_version: str | None = None,
    ) -> None:
        self.serial = serial
        self.engine = engine
        self.threads = threads
        self.cores = tuple(cores)
        self.program = benchmark_program(engine)
        self.binary = _binary(binary, engine)
        self.engine_version = engine_version or f"{self.binary.name} sha256 {_digest(self.binary.read_bytes())}"
        self.folder = f"{FOLDER}/latency-{secrets.token_hex(4)}"
        self.run = shlex.quote(f"./{self.binary.name}")  # a name may hold what the phone's shell would obey
        self.pushed: dict[str, str] = {}
        self.installed = False

    def describe(self) -> Device:
        self._install()
        parts = android.sections(self._shell(android.DESCRIBE))
        identity, state = android.describe(parts, self.cores)
        identity |= {
            "hostname": self.serial,
            "cores": list(self.cores),
            "threads": self.threads,
            "engine": self.engine,
            "engine_version": self.engine_version,
        }
        return Device(identity, state)

    def time(self, job: Job) -> Timing:
        """One number per call: the program prints a summary of its runs.

        Raises: ModelFailedError, ConnectionLostError.
        """
        self._install()
        command = f"{self._pinned(job.cores)}{self.run} {self.program.arguments(job, self._push_model(job))}"
        output = self._shell(
            f"cd {self.folder} && LD_LIBRARY_PATH=. {command} 2>&1; echo ==exit $?; {android.AFTERWARDS}",
            timeout_s=job.budget_s * 2 + SLACK_S,
        )
        printed, status, after = self._split(output)
        if status != 0:
            raise ModelFailedError(f"{self.binary.name} ended with status {status}: {error_line(printed)}")
        parts = android.sections(after)
        return Timing(
            name=job.name,
            runs_ms=(self.program.latency_ms(printed),),
            clock_mhz=android.clock_mhz(parts.get("clock", ""), job.cores),
            temperature_c=android.temperature_c(parts.get("zones", "")),
        )

    def close(self) -> None:
        """Remove what was pushed."""
        if self.installed:
            self.installed = False
            self.pushed.clear()
            with contextlib.suppress(ConnectionLostError):  # a phone that is gone keeps the folder
                self._shell(f"rm -rf {self.folder}")

    def _find_phone(self) -> None:
        done = _adb("-s", self.serial, "get-state")
        if done.returncode == 0 and done.stdout.strip() == "device":
            return
        words = " ".join((done.stderr or done.stdout).split())
        if "unauthorized" in words:
            raise UserError(
                f"phone {self.serial} does not let this computer in; unlock it and allow USB debugging on its screen"
            )
        if "no permissions" in words:
            raise UserError(f"adb may not open phone {self.serial}: {words}")
        attached = re.findall(r"^(\S+)\t(\S+)", _adb("devices").stdout, re.MULTILINE)
        listed = ", ".join(f"{serial} ({state})" for serial, state in attached) or "none"
        raise UserError(f"adb has no phone {self.serial!r} ready to use; attached: {listed} (see: adb devices)")

    def _install(self) -> None:
        """Find the phone and push the program, once."""
        if self.installed:
            return
        self._find_phone()
        self.installed = True
        try:
            self._push_program()
        except UserError:
            self.close()
            raise

    def _push_program(self) -> None:
        self._shell(f"mkdir -p {self.folder}")
        for path in (self.binary, *sorted(self.binary.parent.glob("lib*.so"))):
            self._push(path, f"{self.folder}/{path.name}")
        self._shell(f"chmod 755 {self.folder}/{shlex.quote(self.binary.name)}")
        if self.cores:
            output = self._shell(f"{self._pinned(self.cores)}true 2>&1; echo ==exit $?")
            if self._split(output)[1] != 0:
                raise UserError(
                    f"phone {self.serial} cannot run on cores {', '.join(map(str, self.cores))}: "
                    f"{error_line(self._split(output)[0])} (see: adb -s {self.serial} shell cat /proc/cpuinfo)"
                )
        output = self._shell(f"cd {self.folder} && LD_LIBRARY_PATH=. {self.run} --help 2>&1; echo ==exit $?")
        printed, status, _ = self._split(output)
        if status in (126, 127, 132) or UNFIT.search(printed):  # not found, not executable, illegal instruction
            abi = self._shell("getprop ro.product.cpu.abi").strip()
            raise UserError(
                f"{self.binary} does not run on phone {self.serial} ({error_line(printed) or f'status {status}'}); "
                f"it must be built for Android, {abi}"
            )

    def _push_model(self, job: Job) -> str:
        digest = _digest(job.model)
        if digest not in self.pushed:
            remote = f"{self.folder}/{digest}/model{self.program.suffix}"  # MNN's program takes a folder, so one each
            with tempfile.TemporaryDirectory() as folder:
                local = Path(folder) / f"model{self.program.suffix}"
                local.write_bytes(job.model)
                self._shell(f"mkdir -p {self.folder}/{digest}")
                self._push(local, remote)
            self.pushed[digest] = remote
        return self.pushed[digest]

    def _pinned(self, cores: tuple[int, ...]) -> str:
        return f"taskset {sum(1 << core for core in set(cores)):x} " if cores else ""

    def _split(self, output: str) -> tuple[str, int, str]:
        """(What a program printed, its status, what came after); the phone's own echo says that it lives."""
        found = re.search(r"^(.*?)^==exit (\d+)\s*(.*)$", output.replace("\r\n", "\n"), re.DOTALL | re.MULTILINE)
        if not found:
            words = error_line(output) or "nothing came"
            raise ConnectionLostError(f"phone {self.serial} broke off in the middle of a command: {words}")
        return found[1], int(found[2]), found[3]

    def _push(self, local: Path, remote: str) -> None:
        self._checked(_adb("-s", self.serial, "push", str(local), remote), f"put {local.name}")

    def _shell(self, command: str, timeout_s: float = SLACK_S) -> str:
        return self._checked(_adb("-s", self.serial, "shell", command, timeout_s=timeout_s), "run a command").stdout

    def _checked(self, done: subprocess.CompletedProcess[str], what: str) -> subprocess.CompletedProcess[str]:
        words = " ".join((done.stderr or done.stdout).split())
        if done.returncode < 0 or (done.returncode and GONE.search(words)):
            raise ConnectionLostError(
                f"phone {self.serial} is gone ({words or 'adb was stopped'}); check the cable and continue"
            )
        if done.returncode:
            raise UserError(f"cannot {what} on phone {self.serial}: {words or f'status {done.returncode}'}")
        return done


def _adb(*arguments: str, timeout_s: float = SLACK_S) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            ["adb", *arguments],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout_s,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        raise UserError(
            "a target adb:SERIAL needs the program adb; install Android's platform tools (on Debian: apt install adb)"
        ) from None
    except subprocess.TimeoutExpired:
        raise ConnectionLostError(f"adb {' '.join(arguments[:3])} did not end within {timeout_s:g} s") from None


def _binary(binary: str | Path | None, engine: str) -> Path:
    name = {"litert": "benchmark_model", "mnn": "benchmark.out"}[engine]
    if binary is None:
        raise UserError(
            f"a target adb:SERIAL needs --benchmark-binary PATH, the engine's program {name} built for the phone "
            "(see latency_tables/MEASURING.md)"
        )
    path = Path(binary)
    if not path.is_file():
        raise UserError(f"--benchmark-binary must be a file, the program {name} built for the phone, got {path}")
    return path


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
