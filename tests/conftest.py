"""What every test runs under: no network, and a fixed thread count wherever torch is used."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"  # before any import of huggingface_hub, which reads it once
os.environ["MPLBACKEND"] = "Agg"


def pytest_collection_finish() -> None:
    """One thread, so that a sum has one order on every machine, and so that two test processes on two cores do not wait
    in each other's barriers (ten times slower than alone); torch is not imported for this alone.
    """
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real benchmark files, by BIFRONS_DATA or in ../shared/data; the test is skipped without it."""
    named = os.environ.get("BIFRONS_DATA")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    if not (folder / "coco").is_dir():
        pytest.skip(f"no real data in {folder}: name its folder with BIFRONS_DATA")
    return folder
