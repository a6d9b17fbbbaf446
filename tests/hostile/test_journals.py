"""Journals damaged at many positions: all that was finished is there, or the journal is refused in one line.

python -m pytest -m long tests/hostile/test_journals.py -rP
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from search.storage.journal import JOURNAL
from search.storage.study import Study
from space.errors import UserError
from tests.search_tests.conftest import run_loop  # noqa: F401 (a fixture)

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]
CUTS, FLIPS, TAILS, HOLES = 80, 160, 40, 40


def test_damage_anywhere_is_seen_or_harmless(tmp_path: Path, run_loop) -> None:  # noqa: F811
    study, _ = run_loop(trials=8, rungs=(100, 200))
    whole, records = (tmp_path / JOURNAL).read_bytes(), study.records
    generator, outcomes = np.random.default_rng(5), Counter()
    folder = tmp_path / "damaged"
    folder.mkdir()
    lines: list[int] = []  # line ends in the messages

    def opened(data: bytes) -> dict | None:
        (folder / JOURNAL).write_bytes(data)
        for owned in (False, True):  # anything but a UserError is a fault
            try:
                found = Study.open(folder, owned=owned)
            except UserError as error:
                lines.append(str(error).count("\n"))
                return None
        return found.records if found else {}

    for at in generator.integers(0, len(whole), CUTS).tolist():
        whole_lines = whole[: whole.rfind(b"\n", 0, at) + 1]
        cut, kept = opened(whole[:at]), opened(whole_lines)
        assert cut is not None  # a kill explains it, so that it is mended
        finished = {number for number, record in kept.items() if record.rungs}
        assert finished <= {number for number, record in cut.items() if record.rungs}
        outcomes["cut"] += 1
    for at in generator.integers(0, len(whole), FLIPS).tolist():
        found = opened(whole[:at] + bytes([whole[at] ^ int(generator.integers(1, 256))]) + whole[at + 1 :])
        assert found is None or found == records
        outcomes["byte refused" if found is None else "byte mended"] += 1
    for length in generator.integers(1, 3000, TAILS).tolist():
        found = opened(whole + generator.integers(0, 256, length, np.uint8).tobytes())
        assert found is None or found == records
        outcomes["tail refused" if found is None else "tail cut"] += 1
    for at in generator.integers(0, len(whole) - 600, HOLES).tolist():
        length = int(generator.integers(1, 500))
        found = opened(whole[:at] + b"\0" * length + whole[at + length :])
        assert found is None or found == records
        outcomes["hole refused" if found is None else "hole harmless"] += 1
    assert not any(lines)
    assert sum(outcomes.values()) == CUTS + FLIPS + TAILS + HOLES
    print(f"damaged journals {sum(outcomes.values())}: {dict(outcomes)}; tracebacks 0, finished trials lost 0")
