"""A tiny Janus with a fresh adapter, and batches made by hand."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path += [str(Path(__file__).parents[1] / "models"), str(Path(__file__).parent)]

from tiny_janus import SETTINGS, make_model

from bifrons.models.janus.model import JanusModel


@pytest.fixture(scope="session")
def adapted() -> JanusModel:
    """With a fresh adapter. A diagnosis changes nothing in it, so all tests share it."""
    model = make_model()
    model.add_adapter(SETTINGS)
    return model


@pytest.fixture(scope="session")
def bare() -> JanusModel:
    """Without an adapter; what adds one takes it off again."""
    return make_model()
