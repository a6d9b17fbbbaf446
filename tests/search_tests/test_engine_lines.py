"""The lines of a card that run an exported file do what the network does."""

import re
from pathlib import Path

import numpy as np
import pytest

import search
from evaluators.export import FORMATS
from search.models.folder import CARD_FILE
from space import UserError
from tests.small_networks import small_model

CODE = re.compile(r"```python\n(.*?)```", re.DOTALL)


def missing(name: str) -> bool:
    try:
        FORMATS[name].require()
    except UserError:
        return True
    return False


@pytest.mark.parametrize(
    "name", ["pt2", "onnx", "litert", "ncnn", "mnn", pytest.param("executorch", marks=pytest.mark.long)]
)
def test_the_lines_of_a_card_give_what_torch_gives(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if missing(name):
        pytest.skip(f"{name} is not installed")
    monkeypatch.setattr("search.models.card.table_names", lambda: ())
    (file,) = search.export(small_model("denoise"), tmp_path / "phone", [name], input_size="24x20")
    assert not file.failure
    monkeypatch.chdir(tmp_path / "phone")
    image = np.random.default_rng(0).random((1, 3, 20, 24), dtype=np.float32)
    outputs = []
    for code in CODE.findall(Path(CARD_FILE).read_text("utf-8")):
        said = {"image": image.copy(), "numpy": np}
        exec(code, said)  # as a reader would copy it
        outputs.append(np.asarray(said["output"]).reshape(image.shape))
    assert len(outputs) == 2
    assert np.abs(outputs[1] - outputs[0]).max() < 1e-4
