"""What every test runs under: no network, and a fixed thread count wherever torch is used."""

from __future__ import annotations

import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"  # before any import of huggingface_hub, which reads it once
os.environ["MPLBACKEND"] = "Agg"


def pytest_collection_finish() -> None:
    """Two threads, so that a sum has one order on every machine; torch is not imported for this alone."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(2)
