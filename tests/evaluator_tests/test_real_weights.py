"""The authors' own files, where they are: each read, and the figures that it must give."""

import os
from pathlib import Path

import pytest

from evaluators import data
from evaluators.quality import evaluate
from evaluators.tasks import rules_of
from reports.networks.released_weights import EXPECTED, file_result
from space import UserError
from space.weights.loading import load_network

SET5 = {
    "smfanet": ("smfanet-x4.pth", 32.25),  # published; 32.257 by a forward pass written apart
    "smfanet-plus": ("smfanet-plus-x4.pth", 32.51),  # published
    "etds-l": ("etds-l-x4.pth", 31.71),  # by a forward pass written apart; 31.69 published
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
NOT_BUILT = {"plainusr-s-x4.pth": "54 tensors with 68,612", "plainusr-m-x4.pth": "54 tensors with 165,492"}


@pytest.fixture(scope="session")
def released_files(research_sets: Path) -> Path:
    """Folder of the authors' files: LITEFRONT_SHARED_WEIGHTS, or ``weights`` beside the research image sets."""
    folder = Path(os.environ.get("LITEFRONT_SHARED_WEIGHTS", research_sets.parent / "weights"))
    if not folder.is_dir():
        pytest.skip("the authors' weight files not found; set LITEFRONT_SHARED_WEIGHTS to their folder")
    return folder


def psnr_on_set5(sets: Path, weights: Path, name: str) -> float:
    loaded = load_network(name, weights)
    rules = rules_of("sr", loaded.scale)
    pairs = data.validation_pairs(data.validation_images(sets / "Set5" / "HR", rules), rules)
    return evaluate(loaded.network, pairs, rules).psnr_db


def test_etds_gives_the_figure_of_its_authors_weights(research_sets: Path, released_files: Path) -> None:
    file, psnr_db = SET5["etds-l"]
    assert psnr_on_set5(research_sets, released_files / file, "etds-l") == pytest.approx(psnr_db, abs=0.01)


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


@pytest.mark.parametrize("file", sorted(NOT_BUILT))
def test_a_network_that_is_not_built_here_is_described(released_files: Path, file: str) -> None:
    with pytest.raises(UserError, match=f"got {NOT_BUILT[file]} numbers .* they match none of the"):
        load_network("smfanet", released_files / file)
