"""Rows of results.json for rounds: the layout of every study, with `round` set; differences from the base, paired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bifrons.evaluation import METRICS
from bifrons.evaluation.gap import METRICS as GAP_METRICS
from bifrons.stats import moments_of, summarise, two_way_bootstrap_difference, welch_from_moments
from bifrons.training import versions

NUMBERS = ("mean", "std", "ci95", "delta", "delta_ci95", "welch_t", "p", "cohens_d")
NUM_RESAMPLES = 2000
DECIMALS = 12


@dataclass(frozen=True, slots=True)
class Chain:
    """A method under one setting in one round; the base is round 0."""

    method: str
    setting: tuple[tuple[str, Any], ...] = ()
    round: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One evaluated round of one seed, or the reason why there is none."""

    chain: Chain
    seed: int
    scores: dict[str, dict[str, Any]] = field(default_factory=dict)
    by_kind: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    reason: str = ""

    def items(self, metric: str, kind: str = "") -> dict[str, float]:
        """Scores by item, of one kind of question where it is named; nothing where there are none."""
        if kind:
            return self.by_kind.get(kind, {}).get(metric, {})
        return self.scores.get(metric, {}).get("items", {})


def results_of(model: str, points: Sequence[Point]) -> dict[str, Any]:
    """Everything of results.json but the study's name."""
    groups: dict[Chain, list[Point]] = {}
    for point in points:
        groups.setdefault(point.chain, []).append(point)
    base = groups[Chain("base")][0]
    names = [metric.name for metric in (*GAP_METRICS, *METRICS.values())]
    rows = [row_of(model, chain, name, group, base) for chain, group in groups.items() for name in names]
    training = [
        {
            "method": point.chain.method,
            "seed": point.seed,
            "setting": dict(point.chain.setting),
            "round": point.chain.round,
            "loss_understanding": point.training["loss_understanding"],
            "loss_generation": point.training["loss_generation"],
        }
        for point in points
        if point.training
    ]
    nothing = {"cosine": None, "generation_over_understanding": None}
    return {"versions": versions(), "rows": rows, "gradients": nothing, "training": training}


def row_of(model: str, chain: Chain, metric: str, group: Sequence[Point], base: Point) -> dict[str, Any]:
    done = [point for point in group if metric in point.scores]
    row: dict[str, Any] = {"model": model, "method": chain.method, "metric": metric, "setting": dict(chain.setting)}
    row |= {"round": chain.round, "seeds": [p.seed for p in done], "n": 0, "reason": None, **dict.fromkeys(NUMBERS)}
    if not done:
        return row | {"reason": "; ".join(dict.fromkeys(point.reason for point in group)) or "not run"}
    values = [v for point in done if (v := point.scores[metric]["value"]) is not None]
    if values:
        known = base.scores[metric]["value"]
        mean = sum(values) / len(values)
        row |= {"mean": mean, "n": len(values), "reason": "one value a seed; no interval over items"}
        return row | ({} if known is None or chain.method == "base" else {"delta": mean - known})
    items = [value for point in done for value in point.items(metric).values()]
    if len(items) < 2:
        reason = next((p.scores[metric]["reason"] for p in done if p.scores[metric]["reason"]), "")
        return row | {"n": len(items), "reason": reason or "fewer than two items"}
    summary = summarise(items)
    row |= {"mean": summary.mean, "std": summary.std, "n": summary.n}
    row |= {"ci95": [summary.interval.low, summary.interval.high]}
    against = list(base.items(metric).values())
    if chain.method == "base" or len(against) < 2:
        return row
    compared = welch_from_moments(moments_of(items), moments_of(against))
    found = compare(done, metric, [base])
    row |= {"delta": compared.delta, "welch_t": compared.t, "p": compared.p, "cohens_d": compared.cohens_d}
    interval = None if found is None else found[1]
    equal = "every item differs from the base's by the same" if found is not None and interval is None else None
    return row | {"delta_ci95": interval, "reason": compared.reason or equal}


def compare(
    points: Sequence[Point], metric: str, others: Sequence[Point], kind: str = "", value: float = 0.0
) -> tuple[float, list[float] | None] | None:
    """Mean difference over the items that both sides have, and its paired bootstrap interval over seeds and items.

    Without `others` the level itself, less `value`. Other points are matched by seed, or are one for all seeds. The
    interval is None where all differences are equal; the whole is None for fewer than two items.
    """
    rows: list[tuple[dict[str, float], dict[str, float]]] = []
    for point in points:
        same = [other for other in others if other.seed == point.seed] or list(others[:1])
        rows.append((point.items(metric, kind), same[0].items(metric, kind) if same else {}))
    shared = (
        set.intersection(*(set(own) & set(other) if others else set(own) for own, other in rows)) if rows else set()
    )
    names = sorted(shared)
    if len(names) < 2:
        return None
    treatment = [[own[name] for name in names] for own, _ in rows]
    baseline = [[other[name] if others else value for name in names] for _, other in rows]
    found = two_way_bootstrap_difference(treatment, baseline, seed=0, num_resamples=NUM_RESAMPLES)
    interval = found.interval
    return tidy(found.estimate), None if interval is None else [tidy(interval.low), tidy(interval.high)]


def tidy(value: float) -> float:
    """Without the last bits of a sum: an end at 0 that is 3e-18 would exclude 0."""
    return round(value, DECIMALS)
