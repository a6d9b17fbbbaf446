"""What the page and the terminal say can be done next, and that it is true."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evaluators.training.weights import save_weights
from reports.run.advice import recommended
from reports.run.html import report_html
from reports.run.next_steps import longer, next_steps, python, run_argument
from space.build import build


@pytest.mark.parametrize(
    ("command", "again"),
    [
        ("python -m search run --task sr --budget 200k-params", " --time 30m"),
        ("python -m search run --task sr --time 10m --seed 1", None),
        ("python -m search run --task sr --time=90s", None),
        ("python -m search run --task sr --trials 40", None),
        ("python -m search run --task sr --run-dir 'my runs/a'", " --time 30m"),
    ],
)
def test_the_same_command_goes_on_for_longer(run, command, again):
    text = longer(dataclasses.replace(run, command=command))
    expected = command + again if again else command.replace("10m", "30m").replace("90s", "270s").replace("40", "120")
    assert text == expected


def test_a_command_that_cannot_be_read_or_is_not_known_is_no_obstacle(run):
    assert longer(dataclasses.replace(run, command="run 'a")) == "run 'a --time 30m"
    unknown = next_steps(dataclasses.replace(run, command=""), Path("runs/demo"))
    assert not any(step.purpose.startswith("Go on") for step in unknown)


def test_a_run_is_called_as_the_command_line_knows_it():
    assert run_argument(Path("runs/demo")) == "demo"
    assert run_argument(Path("/data/my run")) == "/data/my run"


def test_the_python_loads_the_weights_and_restores_a_photograph(run, tmp_path, monkeypatch):
    trial = recommended(run)
    folder = tmp_path / "it's a run"
    (folder / "weights").mkdir(parents=True)
    network = build(trial.architecture)
    save_weights(folder / "weights" / f"trial-{trial.trial}.safetensors", network, {})
    monkeypatch.setattr("search.api.run.run_folder", Path)
    monkeypatch.setattr("search.api.run.read_run", lambda _: run)
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.full((24, 32, 3), 90, np.uint8)).save("photograph.png")
    names = {}
    exec(python(run, trial, folder), names)
    assert Image.open("restored.png").size == (128, 96)
    loaded = names["network"].state_dict()
    assert all((value == loaded[name]).all() for name, value in network.state_dict().items())


def test_a_network_that_wants_more_than_a_photograph_is_only_loaded(run):
    trial = recommended(run)
    for task in ("raw-denoise", "inpaint"):
        other = dataclasses.replace(run, settings=dataclasses.replace(run.settings, task=task, scale=1))
        text = python(other, trial, Path("runs/demo"))
        compile(text, "snippet", "exec")
        assert "run.network(" in text
        assert "photograph" not in text


def test_the_page_ends_with_next_steps_only_in_its_run_s_folder(run):
    page = report_html(run, folder=Path("runs/demo"))
    assert "What to do next" in page
    for step in next_steps(run, Path("runs/demo")):
        assert step.text.splitlines()[0].replace("'", "&#39;") in page
    for other in (report_html(run), report_html(run, folder=Path("runs/demo"), is_brief=True)):
        assert "What to do next" not in other
        assert '"weights":"' not in other
