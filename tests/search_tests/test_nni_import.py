"""NNI writes a module when it is first imported: two processes that did so at once broke each other's import."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from search.proposers.nni_import import importing_alone

SECOND = "from search.proposers.nni_import import importing_alone\nwith importing_alone(): print('in', flush=True)"


def test_a_second_process_waits_for_the_first() -> None:
    with importing_alone():
        second = subprocess.Popen([sys.executable, "-c", SECOND], stdout=subprocess.PIPE, text=True)
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(2)
    assert second.communicate(timeout=60)[0] == "in\n"


def test_without_a_folder_for_the_lock_nobody_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with importing_alone():
        pass


def test_an_import_that_fails_leaves_the_lock_to_others() -> None:
    with pytest.raises(SyntaxError), importing_alone():
        raise SyntaxError
    with importing_alone():
        pass
