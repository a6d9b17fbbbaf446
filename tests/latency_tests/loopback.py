"""An OpenSSH server of our own on loopback, started as the current user, and an ssh that reaches it."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.latency_tests.stand_in_programs import program

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def key(path: Path) -> str:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path.with_suffix(".pub").read_text()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_sshd(folder: Path) -> subprocess.Popen[bytes]:
    """An sshd, and in ``folder`` an ssh that knows it as board and chatty.

    Three more hosts do not serve: at refuses nothing listens, stranger has an unknown key, locked does not know ours.

    The test is skipped where OpenSSH's server, client and ssh-keygen are not all installed.
    """
    if SSHD is None or shutil.which("ssh") is None or shutil.which("ssh-keygen") is None:
        pytest.skip("OpenSSH's server, client and ssh-keygen are not all installed")
    port, closed = free_port(), free_port()
    key(folder / "host_key")
    chatty = 'command="echo \'Welcome to chatty!\'; eval \\"$SSH_ORIGINAL_COMMAND\\"" '
    (folder / "authorized").write_text(key(folder / "board_key") + chatty + key(folder / "chatty_key"))
    key(folder / "locked_key")
    (folder / "nobody").write_text("")
    (folder / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host_key\nAuthorizedKeysFile {folder}/authorized\n"
        "StrictModes no\nPidFile none\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
        "PermitRootLogin yes\n"
    )
    hosts = "".join(
        f"Host {name}\n  Port {closed if name == 'refuses' else port}\n  IdentityFile {folder}/{identity}_key\n"
        f"  UserKnownHostsFile {folder}/{'nobody' if name == 'stranger' else 'known'}\n"
        for name, identity in [
            ("board", "board"),
            ("refuses", "board"),
            ("stranger", "board"),
            ("locked", "locked"),
            ("chatty", "chatty"),
        ]
    )
    (folder / "known").write_text(f"[127.0.0.1]:{port} {(folder / 'host_key.pub').read_text()}")
    (folder / "ssh_config").write_text(
        f"{hosts}Host *\n  HostName 127.0.0.1\n  User {getpass.getuser()}\n  IdentitiesOnly yes\n"
        "  StrictHostKeyChecking yes\n"
    )
    program(folder / "ssh", f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder}/ssh_config "$@"\n')
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where an sshd of root insists on separating itself
    log = (folder / "sshd.log").open("wb")
    server = subprocess.Popen([SSHD, "-D", "-e", "-f", f"{folder}/sshd_config"], stdout=log, stderr=log)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return server
        time.sleep(0.02)
    server.kill()
    server.wait()
    pytest.skip(f"sshd does not start here: {(folder / 'sshd.log').read_text().strip()}")
