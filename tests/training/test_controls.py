"""Positive controls on the shipped organism: a trainer that fails these would produce null results of its own."""

from __future__ import annotations

from pathlib import Path
from statistics import mean
from typing import Any

import pytest

import bifrons
from bifrons.pairs import planted_pairs, understanding_pairs
from bifrons.protocol import AdapterSettings
from bifrons.sources import scene_examples
from bifrons.study import read_study
from bifrons.training import held_out

pytestmark = pytest.mark.slow

DEMO = read_study(Path(__file__).parents[2] / "studies" / "demo.toml").training
ADAPTER = AdapterSettings(rank=DEMO.rank, alpha=DEMO.alpha, dropout=DEMO.dropout)


@pytest.fixture(scope="module")
def organism() -> Any:
    return bifrons.load("organism")


@pytest.fixture(scope="module")
def answers(organism: Any) -> list[Any]:
    return understanding_pairs(organism, scene_examples("pairs", 60, 0)).pairs


def test_eight_pairs_a_face_are_learned_by_heart(organism: Any, answers: list[Any]) -> None:
    """Control (a): losses below 0.1 and every margin above 0, on both faces, in one joint run."""
    drawings = planted_pairs(organism, 8).pairs
    settings = {"steps": 200, "learning_rate": 8 * DEMO.learning_rate, "adapter": ADAPTER, "progress": False}
    try:
        run = bifrons.align(
            organism, understanding=answers[:8], generation=drawings, strategy="naive_joint", **settings
        )
        last = run.steps[-8:]
        for task in ("understanding", "generation"):
            assert mean(getattr(step, task).loss for step in last) < 0.1, task
        assert held_out(organism, answers[:8], DEMO.beta).accuracy == 1.0
        assert held_out(organism, drawings, DEMO.beta).accuracy == 1.0
    finally:
        organism.remove_adapter()


def test_planted_drawings_are_told_apart_on_held_out_prompts(organism: Any) -> None:
    """Control (b): chosen draws the asked scene, rejected the wrong colours; held-out margin accuracy at least 0.8."""
    pairs = planted_pairs(organism, 300).pairs
    settings = {"steps": DEMO.steps, "learning_rate": DEMO.learning_rate, "adapter": ADAPTER, "progress": False}
    try:
        bifrons.align(organism, generation=pairs[:240], strategy="generation_only", **settings)
        assert held_out(organism, pairs[240:], DEMO.beta).accuracy >= 0.8
    finally:
        organism.remove_adapter()


def test_understanding_only_leaves_ln_2(organism: Any, answers: list[Any]) -> None:
    """Control (c): the mean loss of the last steps is below 0.60, where ln 2 = 0.693 is untrained."""
    settings = {"steps": DEMO.steps, "learning_rate": DEMO.learning_rate, "adapter": ADAPTER, "progress": False}
    try:
        run = bifrons.align(organism, understanding=answers, strategy="understanding_only", **settings)
        assert run.record.loss_understanding is not None and run.record.loss_understanding < 0.60
        assert run.record.margin_noise_understanding == 0.0
    finally:
        organism.remove_adapter()
