"""The options that say which device is measured."""

from __future__ import annotations

import argparse

import pytest

from latency_tables.cli.target_options import add_target_options, parse_cores, session_of
from latency_tables.targets.ssh import SshHost, SshSession
from space.errors import UserError


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_target_options(parser)
    return parser.parse_args(arguments)


def test_an_ssh_target_takes_all_its_options() -> None:
    session = session_of(
        options(
            "--engine", "mnn", "--target", "ssh://pi@board:2222", "--threads", "2", "--cores", "2-3",
            "--remote-python", "~/venv/bin/python",
        )
    )  # fmt: skip
    assert isinstance(session, SshSession)
    assert session.host == SshHost("board", "pi", 2222)
    assert (session.engine, session.cores, session.threads) == ("mnn", (2, 3), 2)
    assert session.python == "~/venv/bin/python"


@pytest.mark.parametrize(("text", "cores"), [("", ()), ("7", (7,)), ("0,4-6", (0, 4, 5, 6)), ("5,5, 1", (1, 5))])
def test_cores_are_a_list(text: str, cores: tuple[int, ...]) -> None:
    assert parse_cores(text) == cores


@pytest.mark.parametrize("text", ["a", "6-4", "-1", "0x80", "1;2"])
def test_cores_of_no_known_form_are_refused(text: str) -> None:
    with pytest.raises(UserError, match=r"--cores must be core numbers such as 7 or 0,4-6, got"):
        parse_cores(text)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("--threads", "0"), "--threads must be a whole number of at least 1"),
     (("--threads", "2", "--cores", "3"), "--threads must be at most the number of cores, 1, got 2")],
)  # fmt: skip
def test_threads_fit_the_cores(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        session_of(options("--engine", "litert", *arguments))
