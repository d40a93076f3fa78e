"""Golden trajectory: the first ten steps of a joint run on the shipped organism, to be changed only on purpose.

`BIFRONS_GOLDEN=write pytest tests/training/test_golden.py` writes the file anew.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import bifrons
from bifrons.pairs import planted_pairs
from bifrons.protocol import AdapterSettings
from bifrons.records import Provenance, UnderstandingPair
from bifrons.sources import scene_examples

GOLDEN = Path(__file__).with_name("golden.json")


def test_the_first_ten_steps_are_as_they_were() -> None:
    """Losses, Gramian and weights with dropout off; the arithmetic of another machine may move them by 1e-3."""
    model = bifrons.load("organism")
    answers = [
        UnderstandingPair(
            id=example.id,
            image=example.image,
            question=example.questions[0].text,
            chosen=example.captions[0],
            rejected=example.questions[0].answer,
            provenance=Provenance(builder="golden"),
        )
        for example in scene_examples("pairs", 6, 0)
    ]
    adapter = AdapterSettings(rank=4, alpha=8, dropout=0.0)
    run = bifrons.align(
        model,
        understanding=answers,
        generation=planted_pairs(model, 6).pairs,
        strategy="gradient_weighted",
        strategy_settings={"interval": 3},
        steps=10,
        learning_rate=1e-3,
        adapter=adapter,
        progress=False,
    )
    found = [
        {
            "understanding": step.understanding.loss,
            "generation": step.generation.loss,
            "cosine": step.gramian.cosine,
            "ratio": step.gramian.generation_over_understanding,
            "weight": step.weights.understanding,
        }
        for step in run.steps
        if step.understanding and step.generation and step.gramian
    ]
    assert len(found) == 10
    if os.environ.get("BIFRONS_GOLDEN") == "write":
        GOLDEN.write_text(json.dumps(found, indent=1) + "\n")
    golden = json.loads(GOLDEN.read_text())
    for step, (now, then) in enumerate(zip(found, golden, strict=True)):
        for name in then:
            assert now[name] == pytest.approx(then[name], rel=1e-3, abs=1e-3), (step, name)
