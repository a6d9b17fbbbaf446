"""Stands in for ssh: refuses an unexpected command line, runs the remote command here, fails as ssh does."""

import os
import signal
import subprocess
import sys

EXPECTED = [
    "-T",
    "-o",
    "BatchMode=yes",
    "-o",
    "ConnectTimeout=10",
    "-o",
    "ServerAliveInterval=15",
    "-o",
    "ServerAliveCountMax=4",
]
COMPLAINTS = {
    "nowhere": "ssh: Could not resolve hostname nowhere: Name or service not known",
    "refuses": "ssh: connect to host refuses port 22: Connection refused",
    "stranger": "No ED25519 host key is known for stranger and you have requested strict checking.\r\n"
    "Host key verification failed.",
    "locked": "me@locked: Permission denied (publickey).",
}


def main() -> int:
    words = sys.argv[1:]
    if words[: len(EXPECTED)] != EXPECTED or len(words) != len(EXPECTED) + 3 or words[-3] != "--":
        print("unexpected ssh command line:", words, file=sys.stderr)
        return 99
    host, remote = words[-2:]
    if host in COMPLAINTS:
        print(COMPLAINTS[host], file=sys.stderr)
        return 255
    if host == "chatty":
        print("Welcome to chatty!", flush=True)
    with subprocess.Popen(["/bin/sh", "-c", remote], start_new_session=True) as process:

        def broken(*_: object) -> None:
            print(f"Connection to {host} closed by remote host.", file=sys.stderr, flush=True)
            os.killpg(process.pid, signal.SIGKILL)
            sys.exit(255)

        signal.signal(signal.SIGTERM, broken)
        return process.wait()


if __name__ == "__main__":
    sys.exit(main())
