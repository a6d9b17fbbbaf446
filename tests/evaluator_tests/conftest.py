"""Where the research image sets are, for the tests that compare with published files and numbers."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def research_sets() -> Path:
    """Folder of Set5, Set14, B100 and so on; tests that need it are skipped where there is none.

    These sets may not be distributed with the package. Their folder is named by the environment variable
    LITEFRONT_SHARED_DATA, or is ``shared/data`` beside the repository.
    """
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    folder = Path(os.environ.get("LITEFRONT_SHARED_DATA", beside))
    if not folder.is_dir():
        pytest.skip("research image sets not found; set LITEFRONT_SHARED_DATA to their folder")
    return folder
