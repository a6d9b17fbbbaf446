"""The table of the authors' files: read, measured where the network is built, and what they are where it is not."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from reports.networks.released_weights import SETS, FileResult, file_result, page
from tests.released_states import released_state


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    """Set5 and Set14 as one picture each; that of Set14 is grey."""
    pixels = np.random.default_rng(0).integers(40, 200, (6, 6, 3), dtype=np.uint8).repeat(16, 0).repeat(16, 1)
    for name in SETS:
        folder = tmp_path / "data" / name / "HR"
        folder.mkdir(parents=True)
        Image.fromarray(pixels if name == "Set5" else pixels[..., 0]).save(folder / "a.png")
    return tmp_path / "data"


def test_a_file_of_a_network_that_is_built_is_measured(tmp_path: Path, sets: Path) -> None:
    torch.save({"params": released_state("etds-m5c16", 0, 4)}, tmp_path / "etds-l-x4.pth")
    result = file_result(tmp_path / "etds-l-x4.pth", sets)
    assert (result.network, result.parameters) == ("`etds-m5c16` ×4", 21_360)
    assert len(result.psnr_db) == 2
    # The grey picture measured as colour has the narrower range of Y.
    assert result.psnr_db[1] == pytest.approx(result.grey_db + 20 * np.log10(255 / 219), abs=0.05)
    text = page([result], "python -m reports.networks.released_weights")
    assert f"| 31.69 p | {result.psnr_db[0]:.3f} | {result.psnr_db[0] - 31.69:+.3f} | 28.31 p |" in text


def test_other_files_say_what_they_are(tmp_path: Path, sets: Path) -> None:
    torch.save({"a.weight": torch.ones(3, 2)}, tmp_path / "zenosr-x4.pth")
    (tmp_path / "page.pth").write_bytes(b"<html>")
    unknown = file_result(tmp_path / "zenosr-x4.pth", sets)
    assert unknown == FileResult("zenosr-x4.pth", unknown.expected, "ZenoSR: read, network not built", 6)
    refused = file_result(tmp_path / "page.pth", sets)
    assert refused.network.startswith("refused: weights page.pth must be a torch or safetensors file, got an HTML page")
    assert "| 31.99 | – | – | 28.52 | – | – | – |" in page([unknown, refused], "x")
