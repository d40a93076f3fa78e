"""One cell's evaluation: scores are functions of stored responses, and only what is missing is sampled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from bifrons.evaluation import METRICS
from bifrons.protocol import Divergence
from bifrons.records import GenerationPair, Provenance
from bifrons.scorers import LengthConstants
from bifrons.sources import scene_examples
from bifrons.study.config import EvaluationSection
from bifrons.study.evaluation import evaluate_model
from stand_in import StandIn

EXAMPLES = scene_examples("evaluation", 5, 0)


class Clip:
    name = fingerprint = "clip"
    on_scenes = True

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
        pairs=settings.get("pairs"),
    )


def adapter_in(folder: Path) -> Path:
    adapter = folder / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text("{}")
    (adapter / "adapter_model.safetensors").write_bytes(b"a")
    return adapter


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

    adapter = adapter_in(tmp_path)
    model = Loading()
    for expected, weights in ((1, b"a"), (1, b"a"), (2, b"b")):
        (adapter / "adapter_model.safetensors").write_bytes(weights)
        run(model, tmp_path, adapter=adapter, constants=LengthConstants())
        assert model.loaded == expected


def test_divergence_is_measured_once_on_spaced_pairs(tmp_path: Path) -> None:
    """The chosen response's nats of each third pair of nine; read from disk afterwards, whatever the metrics."""
    pairs = [
        GenerationPair(
            id=str(i), prompt=f"{i}", chosen_codes=(1,), rejected_codes=(2,), provenance=Provenance(builder="test")
        )
        for i in range(9)
    ]

    class Diverging(StandIn):
        def load_adapter(self, folder: Path) -> None: ...

        def pack(self, pairs: Any) -> Any:
            return [float(pair.id) for pair in pairs]

        def token_kl(self, packed: list[float]) -> Divergence:
            return Divergence(torch.tensor([[nats, 99.0] for nats in packed]), torch.tensor([[4, 4]] * len(packed)))

    adapter = adapter_in(tmp_path)
    given = {"adapter": adapter, "constants": LengthConstants(), "pairs": {"generation": pairs}}
    given["section"] = EvaluationSection(kl_pairs=3)
    found = run(Diverging(), tmp_path, **given)["scores"]
    assert found["kl_generation_per_sequence"]["items"] == {"0": 0.0, "3": 3.0, "6": 6.0}
    assert found["kl_generation_per_token"]["items"] == {"0": 0.0, "3": 0.75, "6": 1.5}
    assert "no understanding pairs" in found["kl_understanding_per_token"]["reason"]
    again = run(Silent(), tmp_path, **given | {"constants": LengthConstants(9.0, 1.0)})["scores"]
    assert again["kl_generation_per_sequence"] == found["kl_generation_per_sequence"]


def test_scores_of_fewer_examples_are_their_own(tmp_path: Path) -> None:
    """Stored responses to other examples do not leak into the scores."""
    run(StandIn(), tmp_path)
    fewer = run(Silent(), tmp_path, examples=EXAMPLES[:2])
    assert len(fewer["scores"]["vqa_score"]["items"]) == 2
