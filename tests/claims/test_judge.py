"""Every rule on figures whose answer is known, every statistic on records made by hand, and what absent data give."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from stored import Stored, diagnosis, scores, steps

from bifrons.claims import Claim, Condition, judge, write_claims
from bifrons.claims.evidence import Figure, figures
from bifrons.claims.judge import judge_figure

# value, 95% interval, 90% interval, with a margin of 1 about 0
CLEAR_GAIN = (2.0, 1.5, 2.5, 1.6, 2.4)
SMALL_GAIN = (0.3, 0.1, 0.5, 0.2, 0.4)
NOTHING = (0.0, -0.5, 0.5, -0.4, 0.4)
UNTOLD = (0.5, -1.5, 2.5, -1.2, 2.2)
SMALL_LOSS = tuple(-SMALL_GAIN[i] for i in (0, 2, 1, 4, 3))
CLEAR_LOSS = tuple(-CLEAR_GAIN[i] for i in (0, 2, 1, 4, 3))
EVERY = (CLEAR_GAIN, SMALL_GAIN, NOTHING, UNTOLD, SMALL_LOSS, CLEAR_LOSS)


def figure(numbers: tuple[float, ...], margin: float | None = 1.0) -> Figure:
    value, low, high, narrow_low, narrow_high = numbers
    found = {"value": value, "low": low, "high": high, "narrow_low": narrow_low, "narrow_high": narrow_high}
    return Figure(name="f", margin=margin, n=10, **found)


@pytest.mark.parametrize(
    ("rule", "answers"),
    [
        ("above", ("yes", "yes", "no", "undecided", "no", "no")),
        ("below", ("no", "no", "no", "undecided", "yes", "yes")),
        ("equivalent", ("no", "yes", "yes", "undecided", "yes", "no")),
        ("not_above", ("no", "yes", "yes", "undecided", "yes", "yes")),
        ("not_below", ("yes", "yes", "yes", "undecided", "yes", "no")),
    ],
)
def test_each_rule_on_each_case(rule: Any, answers: tuple[str, ...]) -> None:
    """A gain or a loss beyond the margin and within it, none, and one that cannot be told."""
    condition = Condition(of="cosine", rule=rule)
    assert tuple(judge_figure(condition, figure(numbers)) for numbers in EVERY) == answers


@pytest.mark.parametrize(
    ("low", "high", "answer"),
    [
        (-1, 1, "yes"),
        (0.2, 1, "undecided"),
        (0.6, 1, "no"),
        (None, -0.6, "no"),
        (None, 0.5, "yes"),
        (0.5, None, "undecided"),
    ],
)
def test_within_asks_for_the_whole_interval(low: float | None, high: float | None, answer: str) -> None:
    assert judge_figure(Condition(of="ratio", rule="within", low=low, high=high), figure(NOTHING)) == answer


def test_without_interval_or_margin_nothing_is_decided() -> None:
    condition = Condition(of="cosine", rule="equivalent")
    assert judge_figure(condition, Figure(name="f", value=0.0, reason="one seed only")) == "absent"
    assert judge_figure(condition, figure(NOTHING, margin=None)) == "absent"


def claim(*conditions: dict[str, Any], requires: tuple[dict[str, Any], ...] = ()) -> Claim:
    made = {"conditions": conditions, "requires": requires}
    return Claim.model_validate({"number": 1, "text": "A claim."} | made)


@pytest.fixture
def stored(tmp_path: Path) -> Stored:
    """A base; one method that gains 1, one that gains nothing, one too noisy to tell, with two seeds each."""
    made = Stored(tmp_path).add("base", {"vqa_score": scores(0.0, 99), "fid": 100.0})
    for seed in (0, 1):
        made.add(
            "better",
            {"vqa_score": scores(1.0, seed + 10), "fid": 60.0 + seed},
            seed=seed,
            losses=(0.4, 0.6 + seed / 100),
        )
        made.add(
            "same", {"vqa_score": scores(0.0, seed), "fid": 100.0 + seed}, seed=seed, losses=(0.5, 0.7 + seed / 90)
        )
        made.add("noisy", {"vqa_score": scores(0.0, seed, noise=4.0), "fid": 100.0}, seed=seed, losses=(0.69, None))
    return made


@pytest.mark.parametrize(
    ("method", "rule", "verdict"),
    [
        ("better", "above", "reproduced"),
        ("same", "above", "not reproduced"),
        ("noisy", "above", "undecided"),
        ("same", "equivalent", "reproduced"),
        ("better", "equivalent", "not reproduced"),
        ("noisy", "equivalent", "undecided"),
        ("same", "not_above", "reproduced"),
        ("better", "not_above", "not reproduced"),
        ("unheard", "above", "not testable here"),
    ],
)
def test_a_metric_is_judged_over_the_same_items(stored: Stored, method: str, rule: str, verdict: str) -> None:
    found = judge(stored.records(), claim({"of": "vqa_score", "rule": rule, "methods": [method]}))
    assert found.verdict == verdict, found.because


def test_undecided_names_the_smallest_detectable_effect(stored: Stored) -> None:
    found = judge(stored.records(), claim({"of": "vqa_score", "rule": "equivalent", "methods": ["noisy"]}))
    assert "smallest detectable effect" in found.because


def test_one_refuted_condition_refutes_and_one_absent_leaves_untestable(stored: Stored) -> None:
    """Against, then absent, then undecided; all have to hold for a claim to be reproduced."""
    yes = {"of": "vqa_score", "rule": "above", "methods": ["better"]}
    no = {"of": "vqa_score", "rule": "above", "methods": ["same"]}
    untold = {"of": "vqa_score", "rule": "above", "methods": ["noisy"]}
    absent = {"of": "kl", "rule": "above", "methods": ["better"]}
    records = stored.records()
    verdicts = [judge(records, claim(*parts)).verdict for parts in ((yes, untold), (yes, untold, absent), (absent, no))]
    assert verdicts == ["undecided", "not testable here", "not reproduced"]


def test_a_requirement_comes_first(stored: Stored) -> None:
    """Without its positive control a claim is not testable, even where its own condition holds or fails."""
    holds = {"of": "vqa_score", "rule": "not_above", "methods": ["same"]}
    needs = {"of": "control_planted", "rule": "within", "low": 0.8}
    for content, verdict in (
        ({}, "not testable here"),
        ({"planted": {"accuracy": 0.55, "loss": 0.7, "pairs": 60}}, "not testable here"),
        ({"planted": {"reason": "RuntimeError: no memory"}}, "not testable here"),
        ({"planted": {"accuracy": 0.95, "loss": 0.3, "pairs": 60}}, "reproduced"),
    ):
        stored.file("controls.json", content)
        assert judge(stored.records(), claim(holds, requires=(needs,))).verdict == verdict


def test_seeds_of_one_method_are_paired_with_another(stored: Stored) -> None:
    """Better against same is one unit, whatever the base is; the deviation of the seeds stands beside it."""
    condition = Condition(of="vqa_score", rule="above", methods=("better",), against="same")
    (found,) = figures(stored.records(), condition, 0.2)
    assert found.value == pytest.approx(1.0, abs=0.05)
    assert found.seed_std is not None and "2 seeds" in found.how


def test_a_value_of_the_whole_set_is_compared_over_seeds(stored: Stored) -> None:
    """The margin is a share of the base's value; equal values of all seeds have no interval."""
    records = stored.records()
    better = Condition(of="fid", rule="below", methods=("better",), margin=0.1)
    (found,) = figures(records, better, 0.2)
    assert (found.value, found.margin) == (pytest.approx(-39.5), pytest.approx(10.0))
    (noisy,) = figures(records, better.model_copy(update={"methods": ("noisy",)}), 0.2)
    assert noisy.low is None and "equal" in noisy.reason


def test_a_level_of_the_base_is_a_point(stored: Stored) -> None:
    """F1 of the base has one value: it is judged as it is, without an interval."""
    condition = {"of": "fid", "rule": "below", "methods": ["base"], "against": "", "value": 5.0, "margin": 1.0}
    assert judge(stored.records(), claim(condition)).verdict == "not reproduced"


def test_final_losses(stored: Stored) -> None:
    """Levels over seeds; differences paired by seed; a task that was not trained has none."""
    records = stored.records()
    level = Condition(of="loss_generation", rule="within", methods=("better",), low=0.5, high=0.71)
    (found,) = figures(records, level, 0.2)
    assert found.value == pytest.approx(0.605) and found.n == 2
    summed = Condition(of="loss_sum", rule="below", methods=("better",), against="same", margin=0.02)
    (difference,) = figures(records, summed, 0.2)
    assert difference.value == pytest.approx((1.0 + 1.01 - 1.2 - 1.2 - 1 / 90) / 2)
    (none,) = figures(records, summed.model_copy(update={"methods": ("noisy",)}), 0.2)
    assert none.value is None and none.reason


def test_gradients_of_the_untrained_model(stored: Stored) -> None:
    """Cosine, layers, same-task cosines over disjoint pairs, ratio and its variation, and what the diagnosis fitted."""
    stored.file("diagnosis.json", diagnosis(0.0, 10.0))
    stored.file("intervention.json", {"fit": {"ratio": {"slope": {"value": 0.9, "low": 0.8, "high": 1.1, "n": 40}}}})
    records = stored.records()
    expected = {
        ("cosine", "equivalent", 0.0, 0.1): "yes",
        ("layer_cosines", "equivalent", 0.0, 0.1): "yes",
        ("intra_understanding", "above", 0.1, 0.05): "yes",
        ("intra_generation", "above", 0.1, 0.05): "no",
        ("ratio", "above", 5.0, 1.0): "yes",
        ("ratio_variation", "below", 0.5, 0.1): "yes",
        ("ratio_over_tokens", "above", 1.0, 0.1): "yes",
    }
    for (of, rule, value, margin), answer in expected.items():
        condition = Condition(of=of, rule=rule, value=value, margin=margin)  # type: ignore[arg-type]
        assert {judge_figure(condition, found) for found in figures(records, condition, 0.2)} == {answer}, of
    slope = Condition(of="token_slope", rule="within", low=0.5, high=1.5)
    assert judge_figure(slope, figures(records, slope, 0.2)[0]) == "yes"
    (halved,) = figures(records, Condition(of="intra_understanding", rule="above", margin=0.05), 0.2)
    assert halved.n == 30
    assert len(figures(records, Condition(of="layer_cosines", rule="equivalent", margin=0.1), 0.2)) == 2


def test_statistics_along_training(stored: Stored) -> None:
    """Cosines of twentieths of runs; the settled weights over the ratio of tokens, on a logarithmic scale."""
    for seed, weight in enumerate((1.6, 1.5)):
        stored.add("naive_joint", {}, seed=seed, steps=steps(0.02, (1.0, 1.0), seed=seed))
        stored.add("gradient_weighted", {}, seed=seed, steps=steps(0.0, (weight, 2 - weight), seed=seed))
    records = stored.records()
    condition = Condition(of="training_cosine", rule="equivalent", methods=("naive_joint",), margin=0.1)
    (found,) = figures(records, condition, 0.2)
    assert found.n == 40 and judge_figure(condition, found) == "yes"
    weights = Condition(of="weight_over_length", rule="within", methods=("gradient_weighted",), low=0.1, high=3)
    (settled,) = figures(records, weights, 0.2)
    assert settled.value == pytest.approx(math.sqrt((1.6 / 0.4 / 8) * (1.5 / 0.5 / 8)))


@pytest.mark.parametrize(
    "of", ["cosine", "layer_cosines", "intra_generation", "ratio", "ratio_variation", "token_slope"]
)
def test_without_a_diagnosis_a_statistic_is_absent(stored: Stored, of: str) -> None:
    condition = {"of": of, "rule": "within", "low": 0.0}
    found = judge(stored.records(), claim(condition))
    assert found.verdict == "not testable here" and "there is no" in found.because


def test_a_failed_cell_gives_its_reason(tmp_path: Path) -> None:
    made = Stored(tmp_path).add("base", {"vqa_score": scores(0, 9)})
    made.add("pcgrad", {}, status="failed", reason="RuntimeError: out of memory")
    found = judge(made.records(), claim({"of": "vqa_score", "rule": "above", "methods": ["pcgrad"]}))
    assert "out of memory" in found.because


def test_one_seed_has_no_interval_of_losses(tmp_path: Path) -> None:
    made = Stored(tmp_path).add("better", {}, losses=(0.4, 0.6))
    found = judge(made.records(), claim({"of": "loss_sum", "rule": "within", "methods": ["better"], "high": 2.0}))
    assert (found.verdict, "too few" in found.because) == ("not testable here", True)


def test_another_model_of_the_study_is_judged_on_its_own(stored: Stored) -> None:
    """A claim about scale needs the second model, and says so where the study has none."""
    condition = {"of": "vqa_score", "rule": "below", "methods": ["same"], "model": "small"}
    assert "no model small" in judge(stored.records(), claim(condition)).because
    stored.add("base", {"vqa_score": scores(0.0, 99)}, model="small")
    for seed in (0, 1):
        stored.add("same", {"vqa_score": scores(-1.0, seed)}, seed=seed, model="small")
    assert judge(stored.records(), claim(condition)).verdict == "reproduced"


def test_claims_are_written_with_figure_interval_and_rule(stored: Stored) -> None:
    """`claims.json` holds no NaN, the rule as the study file gave it, and a reason for everything that is absent."""
    stored.records()
    conditions = (
        {"of": "vqa_score", "rule": "above", "methods": ["better"]},
        {"of": "kl", "rule": "above", "methods": ["better"]},
    )
    write_claims(stored.folder, [claim(condition) for condition in conditions])
    first, second = json.loads((stored.folder / "claims.json").read_text(), parse_constant=pytest.fail)["claims"]
    (row,) = first["conditions"]
    assert (first["verdict"], row["rule"], row["holds"]) == ("reproduced", "above", "yes")
    assert row["figures"][0]["low"] < row["figures"][0]["value"] < row["figures"][0]["high"]
    assert second["verdict"] == "not testable here" and second["conditions"][0]["figures"][0]["reason"]
