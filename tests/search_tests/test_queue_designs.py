"""Lines of a queue that train what a search found, and what a teacher adds."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from search.experiments.queue_file import COLUMNS, read_queue
from search.experiments.training import Training
from search.models import card
from search.models.folder import write_model
from search.models.named import model_named
from space.errors import UserError

OWN = "short,8,0,embedded,embedded"


def queued(folder: Path, *lines: str) -> tuple[Training, ...]:
    path = folder / "queue.csv"
    path.write_text("\n".join((",".join(COLUMNS), *lines)) + "\n")
    return read_queue(path)


@pytest.fixture(autouse=True)
def _one_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cards price on one of the shipped tables: to read all takes seconds."""
    monkeypatch.setattr(card, "table_names", lambda: ("pixel4-a76",))


@pytest.fixture
def designs(tmp_path: Path) -> Path:
    """``found/small``, a model folder, in a folder in which no name is looked for."""
    folder = tmp_path / "queues"
    write_model(folder / "found" / "small", replace(model_named("espcn"), has_weights=True))
    return folder


def test_a_model_folder_beside_the_queue_is_trained_from_random_weights(designs: Path) -> None:
    (found,) = queued(designs, f"found/small,sr,,{OWN}")
    model = model_named(str(designs / "found/small"))
    assert (found.name, found.architecture, found.start) == ("found/small", model.architecture, "")
    assert found.rules == model.rules
    shutil.copytree(designs, designs.parent / "moved")
    (moved,) = queued(designs.parent / "moved", f"found/small,sr,,{OWN}")
    assert moved.folder_name == found.folder_name


def test_a_trial_of_a_run_is_trained(designs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As ``model_named`` finds it."""
    model = model_named(str(designs / "found/small"))
    monkeypatch.setattr("search.experiments.start_network.model_named", lambda *_: model)
    (found,) = queued(designs, f"mine#12,sr,,{OWN}")
    assert (found.name, found.architecture) == ("mine#12", model.architecture)


def test_a_teacher_adds_to_the_loss_and_the_name_of_the_folder(designs: Path) -> None:
    teacher = f"teacher={designs / 'found/small'}"
    alone, taught, strongly = queued(
        designs, f"espcn,sr,,{OWN}", f"espcn,sr,{teacher},{OWN}", f"found/small,sr,{teacher} distil-weight=2,{OWN}"
    )
    assert alone.loss.is_own
    assert taught.loss.distil is not None
    assert taught.loss.distil.teacher.name == str(designs / "found/small")
    assert (taught.loss.distil.weight, strongly.loss.distil.weight) == (1.0, 2.0)
    assert len({each.folder_name for each in (alone, taught, strongly)}) == 3


@pytest.mark.parametrize(
    ("line", "part"),
    [
        (f"found/small,denoise,,{OWN}", "must be sr, got denoise"),
        (f"found/small,sr,sigma=25,{OWN}", "--sigma is an option of denoise"),
        (f"found/small,sr,wheels=4,{OWN}", "--wheels is an option of no task"),
        (f"found/small,sr,scale=3,{OWN}", "line 2: "),
        (f"runs/none#99,sr,,{OWN}", "line 2: "),
        (f"found/small,sr,teacher=nobody,{OWN}", "unknown network 'nobody'"),
        (f"found/small,sr,distil-weight=2,{OWN}", "--distil-weight is of a teacher"),
        (f"found/small,sr,teacher=smfanet distil-weight=-1,{OWN}", "from 0 to 100"),
        (f"found/other,sr,,{OWN}", "unknown network 'found/other'"),
        (f"found/small,sr,,short,{10**12},0,embedded,embedded", "steps must be at most"),
    ],
)
def test_what_cannot_be_trained_is_one_line_that_names_the_line(designs: Path, line: str, part: str) -> None:
    with pytest.raises(UserError, match="line 2: ") as refused:
        queued(designs, line)
    assert part in str(refused.value)
    assert "\n" not in str(refused.value)
