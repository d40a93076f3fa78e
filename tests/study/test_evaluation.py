"""One cell's evaluation: scores are functions of stored responses, and only what is missing is sampled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bifrons.evaluation import METRICS
from bifrons.scorers import LengthConstants
from bifrons.sources import scene_examples
from bifrons.study.config import EvaluationSection
from bifrons.study.evaluation import evaluate_model
from stand_in import StandIn

EXAMPLES = scene_examples("evaluation", 5, 0)


class Clip:
    fingerprint = "clip"

    def scores(self, images: Any, texts: Any) -> list[float]:
        return [float(len(text)) for text in texts]


def run(model: Any, folder: Path, **changed: Any) -> dict[str, Any]:
    settings = {"examples": EXAMPLES, "adapter": None, "constants": None, "seed": 0, "section": EvaluationSection()}
    settings |= changed
    return evaluate_model(
        model,
        settings["adapter"],
        settings["examples"],
        settings["section"],
        Clip(),  # type: ignore[arg-type]
        seed=settings["seed"],
        constants=settings["constants"],
        folder=folder,
    )


class Silent(StandIn):
    def answer(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("was asked")

    draw = answer


def test_another_set_of_metrics_samples_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A metric of another version, and other length constants, are scored from what is stored."""
    first = run(StandIn(), tmp_path)
    assert run(Silent(), tmp_path) == first
    changed = dict(METRICS) | {"vqa_score": replace(METRICS["vqa_score"], version=99)}
    monkeypatch.setattr("bifrons.study.evaluation.METRICS", changed)
    again = run(Silent(), tmp_path)
    assert again["scores"] == first["scores"] and again["about"] != first["about"]
    longer = run(Silent(), tmp_path, constants=LengthConstants(100.0, 1.0))
    assert longer["scores"]["vqa_score"] != first["scores"]["vqa_score"]
    assert len(list((tmp_path / "evaluation").glob("scores-*.json"))) == 3
    assert len(list((tmp_path / "evaluation").glob("responses-*"))) == 1


def test_another_seed_or_temperature_samples_again(tmp_path: Path) -> None:
    run(StandIn(), tmp_path)
    for changed in ({"seed": 1}, {"section": EvaluationSection(temperature=0.5)}):
        with pytest.raises(AssertionError, match="was asked"):
            run(Silent(), tmp_path, **changed)


def test_the_adapter_is_loaded_only_where_something_is_missing(tmp_path: Path) -> None:
    """Its content is part of the responses' identity."""

    class Loading(StandIn):
        loaded = 0

        def load_adapter(self, folder: Path) -> None:
            self.loaded += 1

    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text("{}")
    (adapter / "adapter_model.safetensors").write_bytes(b"a")
    model = Loading()
    for expected, weights in ((1, b"a"), (1, b"a"), (2, b"b")):
        (adapter / "adapter_model.safetensors").write_bytes(weights)
        run(model, tmp_path, adapter=adapter, constants=LengthConstants())
        assert model.loaded == expected


def test_scores_of_fewer_examples_are_their_own(tmp_path: Path) -> None:
    """Stored responses to other examples do not leak into the scores."""
    run(StandIn(), tmp_path)
    fewer = run(Silent(), tmp_path, examples=EXAMPLES[:2])
    assert len(fewer["scores"]["vqa_score"]["items"]) == 2
