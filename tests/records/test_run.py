"""A run's key: the same for the same definition, on every machine and in every version of the code."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from bifrons.records import run_key

DEFINITION: dict[str, Any] = {
    "strategy": "gradient_weighted",
    "settings": {"interval": 50, "beta": 0.1},
    "seed": 0,
    "data": ["2f1e", "77ab"],
    "reference": None,
}
GOLDEN = "f325444644325596"


def test_the_key_is_the_one_that_runs_on_disk_have() -> None:
    """Whoever changes this value makes every stored run unknown: raise RUN_KEY_VERSION and say so in the changelog."""
    assert run_key(DEFINITION) == GOLDEN


def test_the_order_of_names_does_not_matter() -> None:
    turned = {name: DEFINITION[name] for name in reversed(DEFINITION)}
    turned["settings"] = {"beta": 0.1, "interval": 50}
    assert list(turned) != list(DEFINITION)
    assert run_key(turned) == GOLDEN


def test_the_key_does_not_depend_on_the_process() -> None:
    code = f"from bifrons.records import run_key; print(run_key({DEFINITION!r}))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "123"},
    )
    assert done.stdout.strip() == GOLDEN


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"strategy": "gradient_weighted_smoothed"},
        {"settings": {"interval": 50, "beta": 0.1 + 1e-16}},
        {"settings": {"interval": 50}},
        {"data": ["77ab", "2f1e"]},
        {"reference": ""},
        {"new": None},
    ],
)
def test_any_other_definition_has_another_key(change: dict[str, Any]) -> None:
    assert run_key(DEFINITION | change) != GOLDEN


def test_a_value_without_an_exact_text_is_refused() -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        run_key({"path": object()})
    with pytest.raises(ValueError, match="JSON compliant"):
        run_key({"beta": float("nan")})
