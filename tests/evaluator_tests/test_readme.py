"""The example in the README of evaluators runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[2] / "evaluators" / "README.md"


def test_the_example_runs_and_gives_the_figure_beside_it() -> None:
    example = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)[0]
    names: dict[str, object] = {}
    exec(example, names)
    assert names["bicubic"].psnr_db == pytest.approx(28.12, abs=0.01)
    assert "28.12 dB" in example
    assert names["quality"].psnr_db < names["bicubic"].psnr_db
