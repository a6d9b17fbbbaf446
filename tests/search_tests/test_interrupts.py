"""The first Ctrl-C asks, the second one ends, and a program that cannot be interrupted is ended all the same."""

from __future__ import annotations

import signal
import threading

import pytest

from search.sessions import interrupts
from search.sessions.interrupts import noted_interrupts


@pytest.fixture
def timers(monkeypatch) -> list[threading.Timer]:
    started: list = []
    monkeypatch.setattr(threading.Timer, "start", lambda timer: started.append(timer))
    return started


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_is_noted_and_the_second_ends(timers: list, number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with noted_interrupts() as interrupted:
        assert not interrupted()
        signal.raise_signal(number)
        assert interrupted()
        assert timers == []
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
        assert [timer.interval for timer in timers] == [interrupts.LEFT_S]
        signal.raise_signal(number)  # the end is on its way; no further exception breaks into it
        assert len(timers) == 1
    assert signal.getsignal(number) is before
    assert timers[0].finished.is_set()  # it ended by itself: the timer is called off


def test_what_does_not_end_is_ended(monkeypatch) -> None:
    ended: list = []
    monkeypatch.setattr(interrupts, "kill_all", lambda: ended.append("workers"))
    monkeypatch.setattr(interrupts.os, "_exit", ended.append)
    interrupts._end_at_once()
    assert ended == ["workers", 130]
