"""A study of HermesFlow: its file, its verdicts, rounds without a predecessor, and a small one on the organism."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bifrons.report import write_report
from bifrons.study.hermesflow import chains_of, run_hermesflow
from bifrons.study.hermesflow_config import Claim, Condition, HermesFlowConfig, is_hermesflow, read_hermesflow
from bifrons.study.hermesflow_results import Chain, Point, compare, results_of
from bifrons.study.hermesflow_round import Round, check_predecessor
from bifrons.study.hermesflow_verdicts import verdicts_of

STUDIES = sorted((Path(__file__).parents[2] / "studies").glob("*hermesflow*.toml"))

SMALL = """
title = "Small"
methods = ["pair_dpo"]
[hermesflow]
inputs = 20
rounds = 2
num_captions = 2
num_drawings = 2
caption_temperature = 1.6
drawing_temperature = 1.6
question = "describe the picture."
questions_per_input = 3
min_best = 0.1
reference = "previous"
[[hermesflow.variants]]
methods = ["pair_dpo_product"]
rounds = 1
judge = "verifier"
[training]
steps = 2
learning_rate = 3e-4
rank = 4
alpha = 8
[evaluation]
items = 4
[[claims]]
text = "A gap exists."
conditions = [{ of = "gap", rule = "above", method = "base", round = 0, against = "" }]
[[claims]]
text = "People prefer it."
not_testable = "Nobody votes here."
"""


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_shipped_study_files_are_valid(path: Path) -> None:
    config = read_hermesflow(path)
    assert config.claims and chains_of(config)


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "file.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("inputs = 20", "input = 20"), "unknown key 'hermesflow.input'"),
        (("num_captions = 2", "num_captions = 1"), "hermesflow.num_captions"),
        (('methods = ["pair_dpo"]', 'methods = ["pair_ppo"]'), "there is no method 'pair_ppo'"),
        (('methods = ["pair_dpo"]', 'methods = ["fixed_weight"]'), "fixed_weight holds the weights of another run"),
        (('_product"]\nrounds = 1\njudge = "verifier"', '"]\nrounds = 1'), "pair_dpo twice with the same settings"),
        (('of = "gap"', 'of = "gapp"'), "there is no metric 'gapp'"),
        (('not_testable = "Nobody votes here."', ""), "needs either conditions or not_testable"),
        (('judge = "verifier"', 'judge = "gpt"'), "hermesflow.variants.0.judge"),
    ],
)
def test_a_bad_study_file_is_named_with_its_key(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    path = write(tmp_path, SMALL.replace(*change))
    with pytest.raises(ValueError, match=f"file.toml.*{message}"):
        read_hermesflow(path)


def test_a_section_chooses_the_runner(tmp_path: Path) -> None:
    assert is_hermesflow(write(tmp_path, SMALL))
    assert not is_hermesflow(write(tmp_path, "title = 'x'")) and not is_hermesflow(tmp_path / "none.toml")


def test_variants_differ_in_what_they_say() -> None:
    config = HermesFlowConfig.model_validate(
        {
            "methods": ["pair_dpo"],
            "hermesflow": {"variants": [{"num_captions": 2}, {"rounds": 1, "methods": ["pcgrad"]}]},
        }
    )
    chains = [
        (method, setting, settings.rounds, settings.num_captions) for method, setting, _, settings in chains_of(config)
    ]
    assert chains == [("pair_dpo", {}, 2, 4), ("pair_dpo", {"num_captions": 2}, 2, 2), ("pcgrad", {}, 1, 4)]


def point(method: str, number: int, values: list[float], seed: int = 0) -> Point:
    items = {f"i{i}": value for i, value in enumerate(values)}
    return Point(
        chain=Chain(method, (), number), seed=seed, scores={"gap": {"items": items, "value": None, "reason": ""}}
    )


LOW, HIGH = [0.0, 0.1, 0.0, 0.1] * 10, [0.5, 0.6, 0.5, 0.7] * 10
POINTS = [point("base", 0, LOW), point("pair_dpo", 1, HIGH), point("pair_dpo", 2, [v + 0.01 for v in HIGH])]


@pytest.mark.parametrize(
    ("condition", "state"),
    [
        ({"rule": "above"}, "holds"),
        ({"rule": "below"}, "refuted"),
        ({"rule": "not_above"}, "refuted"),
        ({"rule": "not_below"}, "holds"),
        ({"rule": "above", "later_round": 2}, "holds"),  # the first gain is the larger
        ({"rule": "above", "round": 2, "against": "pair_dpo", "against_round": 1}, "holds"),  # small, and certain
        ({"rule": "above", "round": 1, "against": "pair_dpo", "against_round": 2, "margin": 0.02}, "refuted"),
        ({"rule": "not_above", "round": 2, "against": "pair_dpo", "against_round": 1, "margin": 0.02}, "holds"),
        ({"rule": "above", "against": "", "value": 0.3}, "holds"),
        ({"rule": "above", "round": 7}, "no data"),
        ({"rule": "above", "kind": "counting"}, "no data"),
    ],
)
def test_verdicts_follow_their_rules(condition: dict[str, Any], state: str) -> None:
    claim = Claim(text="x", conditions=(Condition(of="gap", **condition),))
    (verdict,) = verdicts_of([claim], POINTS)
    assert verdict["conditions"][0]["state"] == state
    wanted = {"holds": "reproduced", "refuted": "not reproduced", "no data": "not testable here"}
    assert verdict["verdict"] == wanted[state]


def test_differences_are_paired_by_item_and_seed() -> None:
    found = compare([point("a", 1, HIGH, seed=0), point("a", 1, HIGH, seed=1)], "gap", [point("base", 0, LOW)])
    assert found is not None and found[0] == pytest.approx(sum(HIGH) / 40 - sum(LOW) / 40)
    assert found[1] is not None and found[1][0] < found[0] < found[1][1]
    assert compare([point("a", 1, [1.0])], "gap", [point("base", 0, [0.0])]) is None


def test_an_interval_that_ends_at_0_does_not_exclude_it() -> None:
    """One item of six moved: the resamples that miss it differ by nothing, and rounding must not say otherwise."""
    base = [5 / 6, 4 / 6, 0.7, 0.1, 0.3, 0.6]
    found = compare([point("a", 1, [*base[:5], base[5] + 1 / 6])], "gap", [point("base", 0, base)])
    assert found is not None and found[1] is not None and found[1][0] == 0.0


def test_a_round_that_failed_has_its_reason_and_no_number() -> None:
    failed = Point(chain=Chain("pair_dpo", (), 3), seed=0, reason="round 3 keeps no record")
    rows = [row for row in results_of("m", [*POINTS, failed])["rows"] if row["metric"] == "gap"]
    assert [(row["round"], row["mean"] is None, row["reason"]) for row in rows][-1] == (
        3,
        True,
        "round 3 keeps no record",
    )


def test_a_round_without_its_predecessor_is_refused_by_name(tmp_path: Path) -> None:
    before = Round(number=1, key="k", folder=tmp_path)
    with pytest.raises(ValueError, match="round 2 needs round 1, and .* holds no finished round"):
        check_predecessor(before, "abc")
    (tmp_path / "adapter").mkdir()
    (tmp_path / "record.json").write_text("{}")
    (tmp_path / "adapter" / "bifrons.json").write_text(json.dumps({"fingerprint": "another"}))
    with pytest.raises(ValueError, match="round 2 needs round 1, and .* is of another model"):
        check_predecessor(before, "abc")
    check_predecessor(Round(number=0, key="", folder=tmp_path / "none"), "abc")


@pytest.mark.slow
def test_a_small_study_plays_its_rounds_and_runs_again_from_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows with `gap` for every round, chained reference, a report; the second run trains and samples nothing."""
    config = read_hermesflow(write(tmp_path, SMALL))
    folder, outcomes = run_hermesflow(config, "small", tmp_path / "runs", progress=False)
    assert [o.reason for o in outcomes if o.status != "done"] == []
    results = json.loads((folder / "results.json").read_text())
    gaps = [(r["method"], r["round"]) for r in results["rows"] if r["metric"] == "gap" and r["mean"] is not None]
    assert gaps == [
        ("base", 0),
        ("pair_dpo", 1),
        ("pair_dpo", 2),
        ("pair_dpo_product", 1),
    ]
    record = json.loads((folder / "hermesflow.json").read_text())
    assert [claim["verdict"] for claim in record["claims"]][1] == "not testable here"
    assert all(row["kept"] > 0 for row in record["records"]) and len(record["records"]) == 3
    steps = [
        json.loads((folder / o.done.key / "steps.jsonl").read_text().splitlines()[0]) for o in outcomes[1:] if o.done
    ]
    for step in steps:
        assert (
            step["understanding"]["records"] == step["generation"]["records"]
            and len(step["generation"]["records"]) == 4
        )
    page = write_report(folder).read_text()
    assert all(word in page for word in ("HermesFlow", "Pair-DPO", "verifier of scenes", "Nobody votes here."))

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a finished round was run again")

    before = (folder / "results.json").read_bytes()
    monkeypatch.setattr("bifrons.study.hermesflow_round.align", refuse)
    monkeypatch.setattr("bifrons.study.hermesflow_round.Curator", refuse)
    monkeypatch.setattr("bifrons.study.hermesflow_round.judge_gap", refuse)
    _, again = run_hermesflow(config, "small", tmp_path / "runs", progress=False)
    assert {o.status for o in again} == {"done"}
    assert (folder / "results.json").read_bytes() == before
