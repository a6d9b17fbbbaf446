"""Nearest enlargement in LiteRT takes the pixels that torch takes, by whole factors and by others."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evaluators.export import FORMATS, FP32, Exportable
from evaluators.export.litert_resizing import with_torchs_pixels
from latency_tables.lowering.operators import EngineOperator
from latency_tables.measuring.engines.tflite import write_tflite

pytest.importorskip("ai_edge_litert")


class Coarse(nn.Module):
    """An image times the maxima of its parts, as SMFANet's blocks have it: 22 rows of 180 become 180 again."""

    def forward(self, image: Tensor) -> Tensor:
        coarse = F.max_pool2d(image, 8)
        return image * F.interpolate(coarse, size=image.shape[2:], mode="nearest")


@pytest.mark.parametrize("size", [(320, 180), (45, 23), (64, 48)])
def test_the_file_gives_what_torch_gives(size: tuple[int, int], tmp_path: Path) -> None:
    pytest.importorskip("litert_torch")
    width, height = size
    what, path = Exportable(Coarse().eval(), 3, size, FP32), tmp_path / "model.tflite"
    FORMATS["litert"].write(what, path)
    image = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))
    found = FORMATS["litert"].open(path).run(image.numpy())
    torch.testing.assert_close(torch.from_numpy(found), what.network(image), rtol=0, atol=1e-6)


def test_only_nearest_resizings_change() -> None:
    nearest = EngineOperator("resize", 24, 24, 8, 8, 9 * 8, function="nearest", factor=8)
    content = write_tflite([nearest])
    changed = with_torchs_pixels(content)
    assert [new - old for old, new in zip(content, changed, strict=True) if new != old] == [-1]
    assert with_torchs_pixels(changed) == changed
    add = write_tflite([EngineOperator("add", 8, 8, 8, 8, 1024)])
    assert with_torchs_pixels(add) == add
