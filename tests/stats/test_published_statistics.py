"""The paper's Table 4 (means, standard deviations, sizes) gives its Tables 7, 8 and 9 (arXiv 2603.17044)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import bifrons.stats
from bifrons.stats import (
    Moments,
    bonferroni,
    cohens_d,
    smallest_detectable_welch,
    summarise_moments,
    welch_from_moments,
)
from bifrons.stats.distributions import normal_critical

PUBLISHED: dict[str, Any] = json.loads(
    (Path(bifrons.stats.__file__).parents[1] / "study" / "published.json").read_text(encoding="utf-8")
)
TABLE_4: dict[str, dict[str, Any]] = {row["method"]: row for row in PUBLISHED["table4_janus_pro_7b"]}
TABLE_7: list[dict[str, Any]] = PUBLISHED["table7_clip_score_7b"]
TABLE_8: list[dict[str, Any]] = PUBLISHED["table8_vqa_welch_7b"]
TABLE_9: list[dict[str, Any]] = PUBLISHED["table9_clip_effect_size_7b"]

# Table 4 rounds means and standard deviations to three decimals, which moves an end of an interval by this much.
INPUT_ROUNDING = 0.0005 + 0.0005 * 1.98 / 200**0.5


def moments(method: str, metric: str) -> Moments:
    row = TABLE_4[method]
    return Moments(row[f"{metric}_mean"], row[f"{metric}_std"], row[f"{metric}_n"])


def test_table_7_standard_errors_and_intervals() -> None:
    checked, beyond_rounding = 0, list[tuple[str, str]]()
    for row in TABLE_7:
        summary = summarise_moments(moments(row["method"], "clip"))
        cells = {
            "mean": (summary.mean, 0.0),
            "se": (summary.standard_error, 0.0005 + 0.0005 / 200**0.5),
            "ci_low": (summary.interval.low, 0.005 + INPUT_ROUNDING),
            "ci_high": (summary.interval.high, 0.005 + INPUT_ROUNDING),
        }
        assert summary.n == row["n"]
        for name, (value, rounding) in cells.items():
            if row.get(name) is None:
                continue
            checked += 1
            assert value == pytest.approx(row[name], abs=0.01), (row["method"], name)
            if abs(value - row[name]) > rounding + 1e-9:
                beyond_rounding.append((row["method"], name))
    assert checked == 32
    # One end, 26.54 against our 26.534, is further off than rounding explains. The paper used the normal quantile, 1.96
    # in place of 1.964: see the next test. Everything else agrees to the last published digit.
    assert beyond_rounding == [("understanding_only", "ci_low")]


def test_table_7_intervals_use_the_normal_quantile() -> None:
    checked = 0
    for row in TABLE_7:
        sample = moments(row["method"], "clip")
        reach = normal_critical(0.05) * sample.standard_error
        for name, end in (("ci_low", sample.mean - reach), ("ci_high", sample.mean + reach)):
            checked += 1
            assert end == pytest.approx(row[name], abs=0.005 + INPUT_ROUNDING), (row["method"], name)
    assert checked == 16


def test_table_8_welch_tests() -> None:
    checked = 0
    for row in TABLE_8:
        result = welch_from_moments(moments(row["method"], "vqa"), moments("base", "vqa"))
        assert result.t is not None
        assert result.p is not None
        assert result.cohens_d is not None
        # t by magnitude: the published column has no signs.
        cells = {
            "abs_delta": (abs(result.delta), 1e-9),
            "t": (abs(result.t), 0.01),
            "p": (result.p, 0.003),
            "cohens_d": (abs(result.cohens_d), 0.01),
        }
        for name, (value, tolerance) in cells.items():
            if row.get(name) is None:
                continue
            checked += 1
            assert value == pytest.approx(row[name], abs=tolerance), (row["method"], name)
    assert checked == 28


def test_table_9_effect_sizes() -> None:
    checked = 0
    for row in TABLE_9:
        method, base = moments(row["method"], "clip"), moments("base", "clip")
        effect = cohens_d(method, base)
        assert effect is not None
        cells = {"abs_delta": (abs(method.mean - base.mean), 0.005), "cohens_d": (abs(effect), 0.005)}
        for name, (value, tolerance) in cells.items():
            if row.get(name) is None:
                continue
            checked += 1
            assert value == pytest.approx(row[name], abs=tolerance), (row["method"], name)
    assert checked == 14


def test_the_understanding_gain_does_not_survive_the_papers_own_correction() -> None:
    p_values = [welch_from_moments(moments(row["method"], "vqa"), moments("base", "vqa")).p for row in TABLE_8]
    adjusted = bonferroni(p_values, num_comparisons=27)[0]
    assert adjusted == pytest.approx(0.127, abs=0.003)


def test_the_paper_could_not_have_seen_an_effect_of_its_own_clip_deltas() -> None:
    base = moments("base", "clip")
    effect = smallest_detectable_welch(600, base.n, standard_deviations=(base.std, base.std))
    assert effect.raw is not None
    assert effect.raw == pytest.approx(0.845, abs=0.01)
    assert all(row["abs_delta"] < effect.raw / 4 for row in TABLE_9)
