"""Synthetic studies, reported once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from report_study import write_study

from bifrons.report import write_report


@pytest.fixture(scope="session")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with every input, and its report."""
    folder = write_study(tmp_path_factory.mktemp("runs") / "dpo")
    write_report(folder)
    return folder


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A study without diagnosis, gallery and step records, not reported yet."""
    return write_study(tmp_path / "dpo", num_steps=0, optional=False)
