"""A host over ssh: the agent is copied over, runs there, and its answers come back line by line."""

from __future__ import annotations

import contextlib
import re
import shlex
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

from latency_tables.measuring.targets.agent_session import AGENT, AgentSession
from latency_tables.measuring.targets.session import ConnectionLostError, Device, Job, Timing
from space.errors import UserError

OPTIONS = (
    "-T",
    "-o",
    "BatchMode=yes",  # a question that nobody answers would hang
    "-o",
    "ConnectTimeout=10",
    "-o",
    "ServerAliveInterval=15",
    "-o",
    "ServerAliveCountMax=4",  # a dead line is noticed within a minute
)
SSH_FAILED = 255  # ssh's own status; any other is that of the remote command
NO_PYTHON = 127
INSTALL_S = 120.0
FOLDER = re.compile(r"/.*/latency-agent-\w{6}")  # what the host answers; nothing else is ever removed there
WAITS_S = (2.0, 10.0, 30.0)  # before each attempt to connect again; a board that restarts needs most of it


@dataclass(frozen=True)
class SshHost:
    """Where ssh connects to; a host may be an alias of ``~/.ssh/config``."""

    host: str
    user: str | None = None
    port: int | None = None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"ssh://{self.user + '@' if self.user else ''}{host}{f':{self.port}' if self.port else ''}"

    def command(self, remote: str) -> tuple[str, ...]:
        """The ssh command line that runs ``remote`` in a POSIX shell there, whatever the login shell is."""
        words = ["ssh", *OPTIONS]
        if self.port:
            words += ["-p", str(self.port)]
        if self.user:
            words += ["-l", self.user]
        return (*words, "--", self.host, f"sh -c {shlex.quote(remote)}")


class SshSession:
    """The agent on ``host``, started by ``python`` (a command line there, such as ``~/venv/bin/python``).

    A broken connection is retried after each of ``waits_s`` seconds, and the interrupted job is timed again. The agent
    is kept in its own folder under the host's temporary files until ``close``.
    """

    def __init__(
        self,
        host: SshHost,
        engine: str,
        cores: Sequence[int] = (),
        threads: int = 1,
        python: str = "python3",
        waits_s: Sequence[float] = WAITS_S,
    ) -> None:
        self.host, self.engine, self.cores, self.threads = host, engine, tuple(cores), threads
        self.python = python
        self.waits_s = tuple(waits_s)
        self._folder: str | None = None
        self._agent: AgentSession | None = None
        self._device: Device | None = None

    def describe(self) -> Device:
        """Raises: UserError (no such host, key refused, no Python, no engine), ConnectionLostError."""
        self._device = self._connect().describe()
        return self._device

    def time(self, job: Job) -> Timing:
        """Raises: ModelFailedError; ConnectionLostError once every attempt to connect again has failed."""
        try:
            return self._connect().time(job)
        except ConnectionLostError as error:
            lost = error
        for wait_s in self.waits_s:
            time.sleep(wait_s)
            try:
                return self._reconnect().time(job)
            except ConnectionLostError as error:
                lost = error
        raise ConnectionLostError(f"{lost} (reconnecting failed {len(self.waits_s)} times)")

    def close(self) -> None:
        """End the agent and remove its folder."""
        self._disconnect()

    def _connect(self) -> AgentSession:
        if self._agent is None:
            self._folder = self._install()
            self._agent = AgentSession(
                self.host.command(f"{self.python} {shlex.quote(self._folder + '/agent.py')}; exit $?"),
                self.engine,
                self.cores,
                self.threads,
                device_name=str(self.host),
                restart_ok=lambda status: status > 0 and status != SSH_FAILED,  # negative: ssh itself was killed
            )
        return self._agent

    def _reconnect(self) -> AgentSession:
        self._disconnect()
        agent = self._connect()
        before, now = self._device, agent.describe()
        if before is not None and now.identity != before.identity:
            changed = sorted(key for key in before.identity if now.identity.get(key) != before.identity[key])
            raise UserError(
                f"{self.host} is another device than before the connection broke: {', '.join(changed)} differ"
            )
        self._device = now
        return agent

    def _disconnect(self) -> None:
        agent, self._agent = self._agent, None
        folder, self._folder = self._folder, None
        if agent is not None:
            agent.close()
        if folder is not None:
            with contextlib.suppress(ConnectionLostError):  # a host that is gone keeps the folder
                self._run(f"rm -rf {shlex.quote(folder)}")

    def _install(self) -> str:
        """The folder on the host that holds the agent; also finds out whether Python and numpy are there."""
        done = self._run(
            'umask 077; d=$(mktemp -d "${TMPDIR:-/tmp}/latency-agent-XXXXXX") && cat > "$d/agent.py" && '
            'printf "%s\\n" "$d" && '
            f'{{ {self.python} -c "import numpy" || {{ s=$?; rm -rf "$d"; exit $s; }}; }}',
            AGENT.read_bytes(),
        )
        last = _last_line(done.stderr)
        if done.returncode == SSH_FAILED:
            raise ConnectionLostError(f"{self.host}: {last or 'ssh failed'}; {self._remedy(last)}")
        if done.returncode == NO_PYTHON:
            raise UserError(f"{self.host} has no {self.python!r} ({last}); name its Python 3 with --remote-python")
        if "numpy" in last:
            raise UserError(
                f"{self.host}: {last}; install it there ({self.python} -m pip install numpy) or use --remote-python"
            )
        if done.returncode:
            raise UserError(
                f"{self.host} cannot take the agent (exit status {done.returncode}): {last or 'it said nothing'}"
            )
        lines = done.stdout.splitlines()
        if len(lines) != 1 or not FOLDER.fullmatch(lines[0]):
            if lines and FOLDER.fullmatch(lines[-1]):
                self._run(f"rm -rf {shlex.quote(lines[-1])}")
            raise ConnectionLostError(
                f"{self.host}: its login shell must print nothing without a terminal, got {(lines or [''])[0][:80]!r}; "
                "silence it (often an echo in ~/.bashrc)"
            )
        return lines[0]

    def _remedy(self, complaint: str) -> str:
        name = str(self.host).removeprefix("ssh://")
        if "Host key verification failed" in complaint:
            return f"connect once by hand (ssh {name}) and check its key"
        if "Permission denied" in complaint:
            return f"ssh must log in without a password (ssh-copy-id {name})"
        return f"try by hand: ssh {name} true"

    def _run(self, remote: str, given: bytes = b"") -> subprocess.CompletedProcess[str]:
        try:
            done = subprocess.run(self.host.command(remote), input=given, capture_output=True, timeout=INSTALL_S)
        except FileNotFoundError:
            raise UserError(f"a target {self.host} needs the program ssh; install OpenSSH's client") from None
        except subprocess.TimeoutExpired:
            raise ConnectionLostError(f"{self.host}: nothing came back within {INSTALL_S:g} s") from None
        out, err = (text.decode(errors="replace") for text in (done.stdout, done.stderr))
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
