"""The authors' own files, where they are: each read, and the figures that it must give."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from evaluators import data
from evaluators.images.folders import NamedImage
from evaluators.quality import evaluate
from evaluators.tasks import rules_of
from reports.networks.released_weights import EXPECTED, file_result
from space.weights.loading import load_network

SET5 = {
    "smfanet": ("smfanet-x4.pth", 32.25),  # published; 32.257 by a forward pass written apart
    "smfanet-plus": ("smfanet-plus-x4.pth", 32.51),  # published
    "etds-l": ("etds-l-x4.pth", 31.71),  # by a forward pass written apart
    "plainusr-s": ("plainusr-s-x4.pth", 31.57),  # by a forward pass written apart
    "plainusr-m": ("plainusr-m-x4.pth", 31.79),  # by a forward pass written apart
}
BOTH_SETS = (  # files whose figures on Set5 and Set14 stand in ``EXPECTED``
    "zenosr-x4.pth",
    "vscinet-x4.pth",
    "span-28-x4.pth",
    "spanv2-x4.pth",
    "pds-x4.pth",
    "disp-x4.pth",
    "dscf-fused-x4.pth",
)
SET14 = {
    "plainusr-s": ("plainusr-s-x4.pth", 28.17),  # measured here
    "plainusr-m": ("plainusr-m-x4.pth", 28.38),  # measured here
}
ETDS_L = {"Set5": 31.69, "Set14": 28.31}  # published, of pictures cut to sides of whole dozens (GTmod12 in its configs)


@pytest.fixture(scope="session")
def released_files(research_sets: Path) -> Path:
    """Folder of the authors' files: LITEFRONT_SHARED_WEIGHTS, or ``weights`` beside the research image sets."""
    folder = Path(os.environ.get("LITEFRONT_SHARED_WEIGHTS", research_sets.parent / "weights"))
    if not folder.is_dir():
        pytest.skip("the authors' weight files not found; set LITEFRONT_SHARED_WEIGHTS to their folder")
    return folder


def psnr_on(which: str, sets: Path, weights: Path, name: str, multiple: int = 1) -> float:
    """Of pictures cut to a ``multiple``; a grey one, as in Set14, counts as colour, as for the networks' authors."""
    loaded = load_network(name, weights)
    rules = rules_of("sr", loaded.scale)
    images = data.validation_images(sets / which / "HR", rules)
    cut = [cut_to(multiple, image) for image in images if isinstance(image, NamedImage)]
    assert len(cut) == len(images)
    pairs = data.validation_pairs(cut, rules)
    return evaluate(loaded.network, [replace(pair, grey=False) for pair in pairs], rules).psnr_db


def cut_to(multiple: int, image: NamedImage) -> NamedImage:
    height, width = (side - side % multiple for side in image.pixels.shape[:2])
    return replace(image, pixels=image.pixels[:height, :width])


def psnr_on_set5(sets: Path, weights: Path, name: str) -> float:
    return psnr_on("Set5", sets, weights, name)


@pytest.mark.parametrize("name", ["etds-l", "plainusr-s", "plainusr-m"])
def test_it_gives_the_figure_of_its_authors_weights(research_sets: Path, released_files: Path, name: str) -> None:
    file, psnr_db = SET5[name]
    assert psnr_on_set5(research_sets, released_files / file, name) == pytest.approx(psnr_db, abs=0.01)


@pytest.mark.parametrize("which", ETDS_L)
def test_etds_gives_the_published_figures(research_sets: Path, released_files: Path, which: str) -> None:
    file = released_files / SET5["etds-l"][0]
    assert psnr_on(which, research_sets, file, "etds-l", multiple=12) == pytest.approx(ETDS_L[which], abs=0.01)


@pytest.mark.parametrize("name", SET14)
def test_it_gives_the_figure_on_set14(research_sets: Path, released_files: Path, name: str) -> None:
    file, psnr_db = SET14[name]
    assert psnr_on("Set14", research_sets, released_files / file, name) == pytest.approx(psnr_db, abs=0.01)


@pytest.mark.long
@pytest.mark.parametrize("name", ["smfanet", "smfanet-plus"])
def test_smfanet_gives_the_figures_of_its_paper(research_sets: Path, released_files: Path, name: str) -> None:
    file, psnr_db = SET5[name]
    assert psnr_on_set5(research_sets, released_files / file, name) == pytest.approx(psnr_db, abs=0.01)


@pytest.mark.long
@pytest.mark.parametrize("file", BOTH_SETS)
def test_a_file_gives_its_figures_on_both_sets(research_sets: Path, released_files: Path, file: str) -> None:
    result = file_result(released_files / file, research_sets)
    assert result.psnr_db == pytest.approx(EXPECTED[file].psnr_db, abs=0.02)


def test_the_scale_is_read_off_the_file(released_files: Path) -> None:
    assert [load_network("smfanet", released_files / f"smfanet-x{scale}.pth").scale for scale in (2, 4)] == [2, 4]
