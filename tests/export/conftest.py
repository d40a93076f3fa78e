"""A tiny Janus of each test's own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))

from tiny_janus import make_model

from bifrons.models.janus.model import JanusModel


@pytest.fixture
def model() -> JanusModel:
    """Without an adapter, fp32."""
    return make_model()
