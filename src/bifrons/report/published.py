"""The published figures (arXiv 2603.17044, Janus-Pro), to stand beside measured ones and never among them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from bifrons.report.inputs import Variant

PublishedMetric = Literal["vqa_score", "clip_score"]

# A score by a network trained on scenes has the published CLIPScore beside it as a delta and an effect size only.
COUNTERPARTS: dict[str, PublishedMetric] = {
    "vqa_score": "vqa_score",
    "clip_score": "clip_score",
    "clip_score_scenes": "clip_score",
}
PUBLISHED_BETA = 0.1
NOT_COMPARABLE = frozenset({"rewarded_soup"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedEffect:
    """Difference from base and Cohen's d as published.

    `comparable` is false where the paper measured a row otherwise than its base.
    """

    delta_7b: float | None
    cohens_d_7b: float | None
    delta_1b: float | None
    comparable: bool = True


@cache
def published() -> dict[str, Any]:
    import json

    return json.loads((files("bifrons") / "study" / "published.json").read_text(encoding="utf-8"))


def published_effect(metric: str, variant: Variant) -> PublishedEffect | None:
    """The published counterpart of a table row; None for the base, and where the paper has no such row or setting."""
    name = COUNTERPARTS.get(metric)
    setting = {key: value for key, value in variant.setting if not (key == "beta" and value == PUBLISHED_BETA)}
    if name is None or variant.method == "base" or variant.round not in (None, 0):
        return None
    if set(setting) == {"beta"} and variant.method == "gradient_weighted":
        return beta_effect(name, setting["beta"])
    is_soup = variant.method in NOT_COMPARABLE
    if variant.method not in published()["table1"] or (setting and not is_soup):
        return None
    return PublishedEffect(
        delta_7b=delta("janus_pro_7b", name, variant.method),
        cohens_d_7b=effect_size_7b(name, variant.method),
        delta_1b=delta("janus_pro_1b", name, variant.method),
        comparable=not is_soup,
    )


def beta_effect(name: PublishedMetric, beta: float) -> PublishedEffect | None:
    """A row of the beta sweep, Table 5: no spread was published, so no effect size."""
    row = next((row for row in published()["table5_beta_gradient_weighted_7b"] if row["beta"] == beta), None)
    if row is None:
        return None
    return PublishedEffect(
        delta_7b=row[name] - published()["table1"]["base"]["janus_pro_7b"][name], cohens_d_7b=None, delta_1b=None
    )


def delta(model: str, name: PublishedMetric, method: str) -> float | None:
    """Table 1: the method's mean minus the base's."""
    value = published()["table1"][method].get(model, {}).get(name)
    base = published()["table1"]["base"].get(model, {}).get(name)
    return None if value is None or base is None else value - base


def effect_size_7b(name: PublishedMetric, method: str) -> float | None:
    """Cohen's d from the moments of Table 4: delta / sqrt((s1^2 + s2^2) / 2)."""
    key = name.split("_")[0]
    row, base = table4_row(method), table4_row("base")
    if row is None or base is None:
        return None
    spread = math.sqrt((row[f"{key}_std"] ** 2 + base[f"{key}_std"] ** 2) / 2)
    return (row[f"{key}_mean"] - base[f"{key}_mean"]) / spread


def table4_row(method: str) -> dict[str, Any] | None:
    """The row of Table 4; of several soups, the one whose means are those of Table 1."""
    rows = [
        row
        for row in published()["table4_janus_pro_7b"]
        if row["method"] == method or row["method"].startswith(f"{method}_")
    ]
    means = published()["table1"][method]["janus_pro_7b"]
    return next(
        (row for row in rows if row["vqa_mean"] == means["vqa_score"] and row["clip_mean"] == means["clip_score"]), None
    )
