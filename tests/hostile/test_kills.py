"""Real searches whose processes are killed, stopped and told to end, over and over; nothing finished is lost.

python -m pytest -m long tests/hostile/test_kills.py -rP
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from search.storage.run_files import read_run
from tests.hostile.commands import (
    FOLDER,
    RUN,
    begin,
    kill_group,
    make_photos,
    results,
    tracebacks,
    wait_for,
    workers_of,
)

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds workers in /proc"),
]
WORKER_KILLS, GROUP_KILLS, ENDS, WORKER_STOPS = 28, 8, 6, 3
TRIALS = 400  # more than are done meanwhile


def test_kills_and_stops_lose_nothing_finished(tmp_path: Path) -> None:
    make_photos(tmp_path)
    command, generator, held = [*RUN, "--trials", str(TRIALS)], np.random.default_rng(11), set()
    kills = stops = ends = 0

    def check() -> None:
        nonlocal held
        now = results(tmp_path)
        assert held <= now, f"lost: {sorted(held - now)}"
        held = now
        assert tracebacks(tmp_path) == 0, (tmp_path / "out.txt").read_text()

    process = begin(tmp_path, *command)
    try:
        assert wait_for(lambda: len(results(tmp_path)) > 2 or process.poll() is not None, 600)
        while kills < WORKER_KILLS:  # a worker at a time
            time.sleep(generator.uniform(0.2, 3))
            assert process.poll() is None, (tmp_path / "out.txt").read_text()
            for pid in workers_of(process)[:1]:
                os.kill(pid, signal.SIGKILL)
                kills += 1
            check()
            before = len(held)
            if kills % 4 == 0:
                assert wait_for(lambda before=before: len(results(tmp_path)) > before, 300)
        for pid in workers_of(process)[:WORKER_STOPS]:
            os.kill(pid, signal.SIGSTOP)
            stops += 1
        before = len(results(tmp_path))
        assert wait_for(lambda: len(results(tmp_path)) > before + 2, 600)  # they are replaced
        check()
        for number in range(GROUP_KILLS):  # the whole command, at any moment
            kill_group(process)
            process.wait()
            kills += 1
            check()
            process = begin(tmp_path, *command)
            time.sleep(generator.uniform(2, 20) if number % 2 else generator.uniform(0, 4))
        for number in range(ENDS):  # as `timeout`, systemd and Ctrl-C end one
            before = len(results(tmp_path))
            wait_for(lambda before=before: len(results(tmp_path)) > before, 200)
            kill_group(process, (signal.SIGTERM, signal.SIGINT)[number % 2])
            assert wait_for(lambda ended=process: ended.poll() is not None, 200)
            assert process.returncode in (130, 1, -signal.SIGTERM), (tmp_path / "out.txt").read_text()
            ends += 1
            check()
            process = begin(tmp_path, *command)
    finally:
        kill_group(process)
        process.wait()
    check()
    run = read_run(tmp_path / FOLDER)
    trained = [trial for trial in run.trials if trial.status == "trained"]
    assert len({trial.architecture.key for trial in trained}) == len(trained)
    assert all([result.rung for result in trial.rungs] == list(range(len(trial.rungs))) for trial in trained)
    print(f"kills {kills}, stops {stops}, ends {ends}: tracebacks 0, finished results lost 0 of {len(held)}")


def test_two_ctrl_c_end_within_seconds_whatever_the_workers_do(tmp_path: Path) -> None:
    make_photos(tmp_path)
    process = begin(tmp_path, *RUN, "--trials", str(TRIALS))
    try:
        assert wait_for(lambda: len(results(tmp_path)) > 0 and len(workers_of(process)) == 2, 600)
        workers = workers_of(process)
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        process.send_signal(signal.SIGINT)
        time.sleep(1)
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert wait_for(lambda: process.poll() is not None, 60)
        assert time.monotonic() - begun < 20
        assert process.returncode == 130
        assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
        assert tracebacks(tmp_path) == 0
    finally:
        kill_group(process)


def test_the_time_is_kept_although_every_worker_hangs(tmp_path: Path) -> None:
    make_photos(tmp_path)
    begun = time.monotonic()
    process = begin(tmp_path, *RUN[:5], "--rungs", "100000", *RUN[7:], "--time", "60s")
    try:
        assert wait_for(lambda: len(workers_of(process)) == 2, 200)
        time.sleep(20)
        for pid in workers_of(process):
            os.kill(pid, signal.SIGSTOP)
        assert wait_for(lambda: process.poll() is not None, 300)
        assert time.monotonic() - begun < 60 + 60
        assert tracebacks(tmp_path) == 0
    finally:
        kill_group(process)
