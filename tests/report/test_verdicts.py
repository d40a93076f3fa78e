# ruff: noqa: RUF001 (real minus signs are what is tested)
"""Verdicts, tests, other settings and the paper's tables on the page, from records made by hand."""

from __future__ import annotations

import csv
import json
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from report_study import HOSTILE, dump, results, study, write_study
from test_page import parsed, read, spoken

from bifrons.claims import Claim, pack_scores, write_claims
from bifrons.report import write_report
from bifrons.report.claims import load_claims

CLAIMS = (
    {
        "number": 1,
        "text": "The gradients are near-orthogonal.",
        "scope": ["7B"],
        "conditions": [{"of": "cosine", "rule": "equivalent", "margin": 0.1}],
    },
    {
        "number": 2,
        "text": f"Understanding gains. {HOSTILE}",
        "conditions": [{"of": "vqa_score", "methods": ["understanding_only"], "rule": "above"}],
    },
    {
        "number": 3,
        "text": "Joint training gains as much.",
        "conditions": [{"of": "vqa_score", "methods": ["naive_joint", "pcgrad"], "rule": "above"}],
    },
    {
        "number": 4,
        "text": "It needs a control.",
        "requires": [{"of": "control_planted", "rule": "within", "low": 0.8}],
        "conditions": [{"of": "cosine", "rule": "equivalent", "margin": 0.1}],
    },
    {"number": 5, "text": "It needs photographs.", "not_testable": "no photographs are here"},
)


def scored(metrics: dict[str, float], seed: int) -> dict[str, Any]:
    """Forty items whose scores and lengths go together."""
    items = [f"item {i}" for i in range(40)]
    found = {}
    for name, shift in metrics.items():
        values = [2.0 + 0.05 * i + shift + 0.01 * ((i * 7 + seed) % 5) for i in range(40)]
        found[name] = {"items": dict(zip(items, values, strict=True)), "value": None}
    return found


def write_full(folder: Path) -> Path:
    """The study of the other tests, with a beta sweep, another model, per-item scores and claims."""
    write_study(folder)
    declared, found = study(), results()
    declared["models"] = ["organism", "small"]
    declared["metrics"].append({"name": "vqa_score_length_free", "label": "Without length", "direction": "higher"})
    declared["metrics"][-1] |= {"task": "understanding", "primary": False, "description": "Shorter."}
    declared["metrics"].append({"name": "kl_generation", "label": "KL of drawings", "direction": "lower"})
    declared["metrics"][-1] |= {"task": "generation", "primary": False, "description": "In nats."}
    for row in found["rows"]:
        row |= {"paired_p": 0.2, "bootstrap_ci95": [-0.1, 0.3], "seed_std": 0.02, "standard_error": 0.05}
        row |= {"equivalence_p": 0.01, "margin": 0.23, "smallest_effect": 0.12, "bonferroni_p": 1.0, "holm_p": 0.9}
    own = [row for row in found["rows"] if row["method"] in ("base", "gradient_weighted")]
    for beta in (0.05, 0.5):
        found["rows"] += [row | {"setting": {"beta": beta}} for row in own if row["method"] == "gradient_weighted"]
    found["rows"] += [row | {"model": "small"} for row in own]
    found["rows"] += [row | {"metric": "vqa_score_length_free"} for row in own if row["metric"] == "vqa_score"]
    for method in ("base", "gradient_weighted"):
        declared["cells"].append(
            {"method": method, "seed": 0, "setting": {}, "key": "", "status": "done", "model": "small"}
        )
    declared["cells"] += [
        {"method": "gradient_weighted", "seed": 0, "setting": {"beta": b}, "key": "", "status": "done"}
        for b in (0.05, 0.5)
    ]
    dump(folder / "study.json", declared)
    dump(folder / "results.json", found)
    shifts = {"base": 0.0, "understanding_only": 0.5, "naive_joint": 0.0}
    runs = [
        {"model": "organism", "method": method, "setting": {}, "seed": seed}
        | {"scores": scored({"vqa_score": shift, "response_length": 2 * shift}, seed)}
        for method, shift in shifts.items()
        for seed in ((0,) if method == "base" else (0, 1, 2))
    ]
    dump(folder / "items.json", pack_scores(runs))
    write_claims(folder, [Claim.model_validate(claim) for claim in CLAIMS])
    return folder


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_full(tmp_path_factory.mktemp("verdicts") / "dpo")
    write_report(folder)
    return folder


def table(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / "tables" / f"{name}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_verdicts_come_first(reported: Path) -> None:
    """Counted in one sentence, each with what decides it; the page stays well-formed and nothing in it is live."""
    page, text = read(reported), spoken(read(reported))
    parsed(page)
    assert page.index('id="verdicts"') < page.index('id="findings"') < page.index('id="results"')
    assert "Of 5 claims 2 are reproduced (1, 2), 1 is not reproduced (3) and 2 are not testable here (4, 5)." in text
    assert "Cosine of the task gradients −0.0" in text or "Cosine of the task gradients: −0.0" in text
    assert "Required first and not shown: Accuracy on planted pairs" in text
    assert "no photographs are here" in text
    assert "<script" not in page and page.count("&lt;script&gt;") > 3


def test_every_condition_stands_in_the_tables(reported: Path) -> None:
    rows = table(reported, "claims")
    first = next(row for row in rows if row["claim"] == "1")
    assert first["rule"] == "equivalent 0" and float(first["ci95_low"]) < float(first["value"]) < float(
        first["ci95_high"]
    )
    pcgrad = next(row for row in rows if row["figure"] == "pcgrad - base")
    assert (pcgrad["value"], pcgrad["holds"]) == ("", "absent") and pcgrad["reason"]
    assert "Understanding only" in (reported / "tables" / "claims.tex").read_text()


def test_what_was_varied_has_its_own_table(reported: Path) -> None:
    """The main table holds the grid alone; the sweep stands beside the study's own setting and the published one."""
    text = spoken(read(reported))
    assert not any("beta" in row["setting"] for row in table(reported, "results"))
    swept = table(reported, "ablation_beta")
    assert {json.loads(row["setting"]).get("beta") for row in swept} == {None, 0.05, 0.5}
    assert "Other settings than the study's own: β." in unescape(text)
    published = {row["setting"]: row["published_janus_pro_7b_delta"] for row in table(reported, "beta")}
    assert float(published['{"beta": 0.05}']) == pytest.approx(26.793 - 26.87)


def test_each_model_has_its_block(reported: Path) -> None:
    """Rows of the second model come after those of the study's own, and say whose they are."""
    models = [row["model"] for row in table(reported, "results") if row["metric"] == "vqa_score"]
    assert models == sorted(models) and models.count("small") == 2
    assert "small" in spoken(read(reported))


def test_findings_say_equivalent_only_where_the_test_passes(reported: Path, full: Path) -> None:
    """With an equivalence p below 0.05 at the margin; without one a method is only not told apart."""
    assert "Equivalent to base" in spoken(read(reported)) and "(margin 0.23)" in spoken(read(reported))
    assert "Equivalent to base" not in spoken(read(full))


def test_tests_of_negative_results_stand_beside_the_published_ones(reported: Path) -> None:
    rows = {row["method"]: row for row in table(reported, "tests_vqa_score") if row["model"] == "organism"}
    assert (rows["pcgrad"]["equivalence_p"], rows["pcgrad"]["smallest_effect"]) == ("0.01", "0.12")
    text = spoken(read(reported))
    assert "two-way 95% CI" in text and "Bonferroni" in text and "2.85" in text  # the published t of understanding only


@pytest.mark.parametrize("name", ["moments", "generation_quality", "length_free", "length"])
def test_the_papers_tables(reported: Path, name: str) -> None:
    """What the study measures of a table is there as CSV and LaTeX, and the published rows beside it."""
    assert table(reported, name)
    assert "tabular" in (reported / "tables" / f"{name}.tex").read_text()


def test_length_and_score_are_correlated_within_and_across_methods(reported: Path) -> None:
    """Scores and lengths that rise together: r near 1 within a method."""
    rows = {row["method"]: row for row in table(reported, "length")}
    assert set(rows) == {"base", "understanding_only", "naive_joint"}
    assert float(rows["base"]["correlation"]) > 0.99
    assert float(rows["base"]["published_7b_words"]) == 32.7
    assert "Correlation of words and score: over answers within a method" in spoken(read(reported))


def test_weights_are_told_with_their_spread(reported: Path) -> None:
    """PCGrad's weight can be far from 1 with gradients that are nearly orthogonal: its mean and spread are there."""
    rows = {row["method"]: row for row in table(reported, "weights")}
    assert "naive_joint" not in rows and float(rows["pcgrad"]["std_understanding"]) > 0
    assert float(rows["length_normalized"]["settled_ratio"]) == pytest.approx(1.846 / 0.154)


def test_without_claims_there_is_no_section(full: Path) -> None:
    assert 'id="verdicts"' not in read(full)


def test_bad_claims_are_named(tmp_path: Path) -> None:
    dump(tmp_path / "claims.json", {"claims": [{"number": 1, "text": "x", "verdict": "maybe"}]})
    with pytest.raises(ValueError, match=r"claims.json: claims\[0\].verdict"):
        load_claims(tmp_path / "claims.json")
