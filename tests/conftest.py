"""What holds for every test."""

from __future__ import annotations

import os

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # a core for each of the suite's processes; read when torch is loaded

# What was written survives a kill; only a power failure, which no test has, needs the wait for the disk, at every line
# of a run's journal.
os.fsync = lambda descriptor: None
