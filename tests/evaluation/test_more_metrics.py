"""Novel words, soft accuracy, divergence, pictures and length: on responses whose scores are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from bifrons.evaluation import Scores, evaluate, length_confound, own_metric, respond, scored_by
from bifrons.evaluation.metric import Metric
from bifrons.evaluation.novelty import holding
from bifrons.evaluation.responses import Responses
from bifrons.scenes import Scene, captions, render
from bifrons.scenes.world import Object
from bifrons.sources import Example, Question, scene_examples
from bifrons.sources.scenes import png
from stand_in import StandIn

EXAMPLES = scene_examples("evaluation", 10, 0)
SCENE = Scene("grey", (Object("top left", "circle", "red", "big"), Object("top right", "circle", "blue", "big")))


def scored(model: StandIn, examples: list[Example] = EXAMPLES, **given: Any) -> dict[str, Scores]:
    return {s.metric: s for s in evaluate(respond(model, examples), **given)}  # type: ignore[arg-type]


def asked_about(scene: Scene, said: str) -> Example:
    import numpy as np

    rows = captions(scene, np.random.default_rng(0))
    return Example(id="one", image=png(render(scene)), captions=rows, questions=(Question("counting", said, "two."),))


@pytest.mark.parametrize(
    ("said", "true", "false"),
    [
        ("there are two circles.", 1, 0),  # the captions do not count
        ("a red circle at the top left.", 0, 0),  # all of it is in the captions: nothing new
        ("a green triangle at the bottom left.", 0, 3),  # left is said of the red one
        ("one small object.", 1, 1),  # one object is red; object claims nothing
        ("yes. no.", 0, 0),
    ],
)
def test_novel_words_are_split_by_the_picture(said: str, true: int, false: int) -> None:
    found = scored(StandIn(say=lambda q, t: said), [asked_about(SCENE, "how many circles are there?")])
    assert list(found["novel_words_true"].items.values()) == [true]
    assert list(found["novel_words_false"].items.values()) == [false]


def test_what_holds_of_a_scene() -> None:
    assert holding(SCENE) == {"grey", "circle", "red", "blue", "big", "top", "left", "right", "one", "two"}


def test_novelty_needs_scenes() -> None:
    """A picture of another world has no known truth."""
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (40, 40)).save(buffer, format="PNG")
    example = replace(EXAMPLES[0], image=buffer.getvalue())
    found = scored(StandIn(), [example])
    assert not found["novel_words_true"].items and "scene world" in found["novel_words_true"].reason


def test_score_a_word_is_the_score_over_the_words() -> None:
    found = scored(StandIn(say=lambda q, t: "" if "how many" in q else "a red circle."))
    for item, value in found["vqa_score_per_word"].items.items():
        assert value == pytest.approx(found["vqa_score"].items[item] / 3)
    silent = {item for item, length in found["response_length"].items.items() if length == 0}
    assert silent and silent.isdisjoint(found["vqa_score_per_word"].items)


def test_soft_accuracy_is_absent_where_no_people_answered() -> None:
    found = scored(StandIn())["vqa_soft_accuracy"]
    assert not found.items and found.value is None and "people" in found.reason


def test_soft_accuracy_by_hand() -> None:
    """Three of ten people say red: a third of the leave-one-out means has two left (2/3), the rest three (1)."""
    people = Question("other", "which colour?", "red", answers=("Red.",) * 3 + ("blue",) * 7)
    example = replace(EXAMPLES[0], questions=(people,))
    found = scored(StandIn(say=lambda q, t: "red"), [example])
    assert list(found["vqa_soft_accuracy"].items.values()) == [pytest.approx((3 * 2 / 3 + 7) / 10)]
    assert not found["answer_accuracy"].items  # a kind that scenes do not grade


def test_divergence_is_kept_by_sequence_and_by_token() -> None:
    rows = {"understanding": {"a": (6.0, 3), "b": (1.0, 4)}, "generation": {}}
    found = scored(StandIn(), divergences=rows)
    assert found["kl_understanding_per_sequence"].items == {"a": 6.0, "b": 1.0}
    assert found["kl_understanding_per_token"].items == {"a": 2.0, "b": 0.25}
    assert (
        not found["kl_generation_per_token"].items and "no generation pairs" in found["kl_generation_per_token"].reason
    )
    assert "base" in scored(StandIn())["kl_understanding_per_token"].reason


class Pictures:
    """Counts instead of looking."""

    on_scenes = True
    preference = None

    def frechet(self, images: Sequence[Any], real: Sequence[Any]) -> float:
        return float(len(images) + len(real))

    def diversity(self, images: Sequence[Any]) -> float:
        return float(len(images))


def test_pictures_go_to_their_networks() -> None:
    """Values of the set; what has no network says so; the public networks' metrics are not those of scenes."""
    found = scored(StandIn(), networks=[Pictures()])
    assert found["fid_scenes"].value == 20.0 and found["lpips_diversity_scenes"].value == 10.0
    for name in ("preference_score_scenes", "fid", "lpips_diversity", "pick_score"):
        assert found[name].value is None and not found[name].items and "network" in found[name].reason
    many = scored(StandIn(), scene_examples("evaluation", 60, 0), networks=[Pictures()])
    assert many["lpips_diversity_scenes"].value == 50.0


def test_length_confound_within_and_across() -> None:
    """Two methods whose scores are their lengths within, and fall with length across."""
    short = {"response_length": {"a": 1.0, "b": 2.0, "c": 3.0}, "vqa_score": {"a": 5.0, "b": 6.0, "c": 7.0}}
    long = {"response_length": {"a": 11.0, "b": 12.0, "c": 13.0}, "vqa_score": {"a": 1.0, "b": 2.0, "c": 3.0}}
    found = length_confound({"short": [short], "long": [long]})
    assert [(row.method, row.mean_words, row.n) for row in found.rows] == [("short", 2.0, 3), ("long", 12.0, 3)]
    assert found.rows[0].score_per_word == pytest.approx(3.0)
    assert found.correlation is not None
    assert found.correlation.within.r == pytest.approx(1.0)
    assert found.correlation.pooled.r is not None and found.correlation.pooled.r < 0
    assert found.as_json()["correlation"]["across"]["reason"]  # two methods are two points
    assert length_confound({"short": []}).correlation is None


def loud(responses: Responses) -> tuple[Metric, Scores]:
    """Share of answers with an exclamation mark."""
    metric = Metric(name="loud", label="Loud", task="understanding", direction="lower", description="!")
    return metric, Scores(metric="loud", items={row.id: float("!" in row.answer.text) for row in responses.answers})


def test_a_metric_of_ones_own(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found in the working folder; refused by name where it is no metric."""
    (tmp_path / "my_metrics.py").write_text("def nothing(responses):\n    return 1.0\n")
    monkeypatch.chdir(tmp_path)
    responses = respond(StandIn(say=lambda q, t: "red!"), EXAMPLES)  # type: ignore[arg-type]
    metric, scores = scored_by(loud, "loud", responses)
    assert metric.label == "Loud" and set(scores.items.values()) == {1.0}
    with pytest.raises(ValueError, match="my_metrics:nothing: has to return"):
        scored_by(own_metric("my_metrics:nothing"), "my_metrics:nothing", responses)
    for name in ("loudness", "my_metrics:absent", "no_such_module:f"):
        with pytest.raises(ValueError, match="metric"):
            own_metric(name)
