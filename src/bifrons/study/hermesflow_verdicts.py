"""Verdicts on the paper's claims, by the statistic, the margin and the rule that the study file fixed beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bifrons.study.hermesflow_config import Claim, Condition
from bifrons.study.hermesflow_results import Chain, Point, compare

RULES = {
    "above": "the whole interval above {value:g}",
    "below": "the whole interval below {value:g}",
    "not_above": "an excess of {margin:g} over {value:g} excluded",
    "not_below": "a shortfall of {margin:g} under {value:g} excluded",
}


def verdicts_of(claims: Sequence[Claim], points: Sequence[Point]) -> list[dict[str, Any]]:
    """One verdict a claim: reproduced where every condition holds, not reproduced where one is refuted or open, not
    testable where the study file says so or a condition has no data.
    """
    found: list[dict[str, Any]] = []
    for claim in claims:
        judged = [judge(condition, points) for condition in claim.conditions]
        states = {one["state"] for one in judged}
        if claim.not_testable or "no data" in states:
            verdict = "not testable here"
        elif states == {"holds"}:
            verdict = "reproduced"
        else:
            verdict = "not reproduced" if "refuted" in states else "not reproduced (undecided)"
        reason = claim.not_testable
        found.append(
            {"text": claim.text, "verdict": verdict, "reason": reason, "note": claim.note, "conditions": judged}
        )
    return found


def judge(condition: Condition, points: Sequence[Point]) -> dict[str, Any]:
    """One condition: its statistic with interval, and whether it holds, is refuted, is undecided or has no data."""
    chain = Chain(condition.method, tuple(condition.setting.items()), condition.round)
    other = Chain(condition.against, tuple(condition.against_setting.items()), condition.against_round)
    own = select(points, chain)
    later = Chain(condition.method, chain.setting, condition.later_round)
    if condition.later_round:
        own = less_further_gain(own, select(points, later), condition.of)
    others = select(points, other) if condition.against else []
    result = None
    if own and (others or not condition.against):
        result = compare(own, condition.of, others, condition.kind)
    about = {
        "metric": condition.of,
        "kind": condition.kind,
        "what": named(chain)
        + (f" less {named(other)}" if condition.against else "")
        + (f", less the further gain to round {condition.later_round}" if condition.later_round else ""),
        "rule": RULES[condition.rule].format(value=condition.value, margin=condition.margin),
    }
    if result is None:
        return about | {"estimate": None, "interval": None, "state": "no data"}
    estimate, interval = result
    low, high = interval or (estimate, estimate)
    return about | {"estimate": estimate, "interval": interval, "state": state(condition, low, high)}


def less_further_gain(own: Sequence[Point], later: Sequence[Point], metric: str) -> list[Point]:
    """Points whose items are those of `own` less what `later`, of the same seed, gains on them."""
    found: list[Point] = []
    for point in own:
        for other in later:
            if other.seed == point.seed:
                mine, theirs = point.items(metric), other.items(metric)
                items = {name: 2 * mine[name] - theirs[name] for name in mine.keys() & theirs.keys()}
                found.append(replace(point, scores={metric: {"items": items, "value": None, "reason": ""}}))
    return found


def state(condition: Condition, low: float, high: float) -> str:
    value, margin = condition.value, condition.margin
    if condition.rule == "above":
        return "holds" if low > value else "refuted" if high < value + margin else "undecided"
    if condition.rule == "below":
        return "holds" if high < value else "refuted" if low > value - margin else "undecided"
    if condition.rule == "not_above":
        return "holds" if high < value + margin else "refuted" if low > value else "undecided"
    return "holds" if low > value - margin else "refuted" if high < value else "undecided"


def select(points: Sequence[Point], chain: Chain) -> list[Point]:
    wanted = dict(chain.setting)
    return [
        point
        for point in points
        if point.scores
        and (point.chain.method, dict(point.chain.setting), point.chain.round) == (chain.method, wanted, chain.round)
    ]


def named(chain: Chain) -> str:
    setting = "".join(f", {key} {value}" for key, value in chain.setting)
    return f"{chain.method}{setting}" + (f", round {chain.round}" if chain.round else "")
