"""Published effects: from the paper's own tables, and only where the row is the same experiment."""

from __future__ import annotations

import pytest

from bifrons.report.inputs import Variant
from bifrons.report.published import published, published_effect


def test_effect_sizes_agree_with_tables_8_and_9() -> None:
    for table, metric in (("table8_vqa_welch_7b", "vqa_score"), ("table9_clip_effect_size_7b", "clip_score_scenes")):
        for row in published()[table]:
            effect = published_effect(metric, Variant(row["method"]))
            assert effect is not None and effect.cohens_d_7b is not None and effect.delta_7b is not None
            assert abs(effect.cohens_d_7b) == pytest.approx(row["cohens_d"], abs=0.0101)
            assert abs(effect.delta_7b) == pytest.approx(row["abs_delta"], abs=0.0101)


def test_no_counterpart_where_the_experiment_differs() -> None:
    assert published_effect("scene_accuracy", Variant("naive_joint")) is None
    assert published_effect("vqa_score", Variant("base")) is None
    assert published_effect("vqa_score", Variant("gradient_weighted_smoothed")) is None
    assert published_effect("vqa_score", Variant("naive_joint", (("pairs", 153),))) is None
    assert published_effect("vqa_score", Variant("naive_joint", (), 2)) is None
    assert published_effect("vqa_score", Variant("naive_joint", (("beta", 0.5),))) is None


def test_beta_sweep_has_its_own_table() -> None:
    swept = published_effect("vqa_score", Variant("gradient_weighted", (("beta", 0.05),)))
    assert swept is not None and swept.delta_7b == pytest.approx(2.501 - 2.49) and swept.cohens_d_7b is None
    assert published_effect("vqa_score", Variant("gradient_weighted", (("beta", 0.1),))) == published_effect(
        "vqa_score", Variant("gradient_weighted")
    )
    assert published_effect("vqa_score", Variant("gradient_weighted", (("beta", 0.3),))) is None


def test_soup_is_marked_not_comparable() -> None:
    soup = published_effect("clip_score", Variant("rewarded_soup", (("lambda", 0.5),)))
    assert soup is not None and not soup.comparable and soup.cohens_d_7b is not None
    assert soup.delta_7b == pytest.approx(26.128 - 26.87)
