"""What holds for every test."""

from __future__ import annotations

import gc
import os

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # a core for each of the suite's processes; read when torch is loaded

# What was written survives a kill; only a power failure, which no test has, needs the wait for the disk, at every line
# of a run's journal.
os.fsync = lambda descriptor: None

# A tenth of the suite's time went into looking for garbage, mostly among the modules of torch, which are none.
gc.set_threshold(50_000, 20, 50)


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()
