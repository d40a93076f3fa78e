"""Rules over figures: what holds, what is refuted, what these records cannot decide, and the verdict of a claim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from bifrons.claims.evidence import Figure, figures
from bifrons.claims.records import Records, load_records
from bifrons.claims.rules import Claim, Condition
from bifrons.records import write_json

Verdict = Literal["reproduced", "not reproduced", "undecided", "not testable here"]
Holds = Literal["yes", "no", "undecided", "absent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A condition, its figures, and what they say: `holds` is "yes" only if every figure passes."""

    condition: Condition
    figures: tuple[Figure, ...]
    each: tuple[Holds, ...]

    @property
    def holds(self) -> Holds:
        for answer in ("no", "absent", "undecided"):
            if answer in self.each:
                return answer
        return "yes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A claim with its verdict; `because` says it in one sentence."""

    claim: Claim
    verdict: Verdict
    because: str
    requires: tuple[Judged, ...] = ()
    conditions: tuple[Judged, ...] = ()


def judge_figure(condition: Condition, figure: Figure) -> Holds:
    """One rule over one figure. The margin is measured from `value`; "no" is evidence against, "undecided" is none."""
    low, high, narrow_low, narrow_high = figure.low, figure.high, figure.narrow_low, figure.narrow_high
    if low is None or high is None or narrow_low is None or narrow_high is None:
        return "absent"
    value = condition.value
    if condition.rule == "within":
        least = float("-inf") if condition.low is None else condition.low
        most = float("inf") if condition.high is None else condition.high
        return "yes" if least <= low and high <= most else "no" if high < least or low > most else "undecided"
    margin = figure.margin
    if margin is None:
        return "absent"
    above, below = low > value, high < value
    bounded_above, bounded_below = narrow_high < value + margin, narrow_low > value - margin
    if condition.rule == "above":
        return "yes" if above else "no" if bounded_above else "undecided"
    if condition.rule == "below":
        return "yes" if below else "no" if bounded_below else "undecided"
    if condition.rule == "equivalent":
        return "yes" if bounded_above and bounded_below else "no" if above or below else "undecided"
    if condition.rule == "not_above":
        return "yes" if bounded_above else "no" if above else "undecided"
    return "yes" if bounded_below else "no" if below else "undecided"


def judge_condition(records: Records, condition: Condition, margin: float) -> Judged:
    found = tuple(figures(records, condition, margin))
    return Judged(condition=condition, figures=found, each=tuple(judge_figure(condition, figure) for figure in found))


def judge(records: Records, claim: Claim, margin: float = 0.2) -> Judgement:
    """The verdict of one claim.

    A requirement that does not hold leaves the claim not testable. Otherwise one refuted condition is enough for "not
    reproduced", then one absent for "not testable here", then one undecided; "reproduced" needs all.
    """
    if claim.not_testable:
        return Judgement(claim=claim, verdict="not testable here", because=claim.not_testable)
    requires = tuple(judge_condition(records, condition, margin) for condition in claim.requires)
    conditions = tuple(judge_condition(records, condition, margin) for condition in claim.conditions)
    parts = {"claim": claim, "requires": requires, "conditions": conditions}
    unmet = [judged for judged in requires if judged.holds != "yes"]
    if unmet:
        because = f"Required first and not shown: {'; '.join(sentence(j) for j in unmet)}."
        return Judgement(verdict="not testable here", because=because, **parts)
    verdicts: tuple[tuple[Holds, Verdict], ...] = (
        ("no", "not reproduced"),
        ("absent", "not testable here"),
        ("undecided", "undecided"),
    )
    for answer, verdict in verdicts:
        found = [judged for judged in conditions if judged.holds == answer]
        if found:
            return Judgement(verdict=verdict, because=f"{'; '.join(sentence(j) for j in found)}.", **parts)
    return Judgement(verdict="reproduced", because=f"{'; '.join(sentence(j) for j in conditions)}.", **parts)


def sentence(judged: Judged) -> str:
    """A condition and the figures that decide it, in words."""
    condition = judged.condition
    setting = "".join(f", {key} {value}" for key, value in condition.setting.items())
    where = f" on {condition.model}" if condition.model else ""
    shown = [
        figure_text(figure, answer)
        for figure, answer in zip(judged.figures, judged.each, strict=True)
        if answer == judged.holds
    ]
    return f"{condition.of}{setting}{where}: {', '.join(shown)}"


def figure_text(figure: Figure, answer: Holds) -> str:
    if answer == "absent":
        return f"{figure.name} is absent ({figure.reason or 'it has no margin'})"
    assert figure.value is not None and figure.low is not None and figure.high is not None
    text = f"{figure.name} {figure.value:.3g} [{figure.low:.3g}, {figure.high:.3g}]"
    if figure.margin is not None:
        text += f", margin {figure.margin:.3g}"
    if answer == "undecided" and figure.smallest_effect is not None:
        text += f", smallest detectable effect {figure.smallest_effect:.3g}"
    return text


def judgement_json(judgement: Judgement) -> dict[str, Any]:
    def rows(every: Sequence[Judged]) -> list[dict[str, Any]]:
        return [
            judged.condition.model_dump(mode="json", exclude_defaults=True)
            | {"rule": judged.condition.rule, "of": judged.condition.of, "holds": judged.holds}
            | {"figures": [asdict(f) | {"holds": h} for f, h in zip(judged.figures, judged.each, strict=True)]}
            for judged in every
        ]

    claim = judgement.claim
    return {
        "number": claim.number,
        "text": claim.text,
        "scope": list(claim.scope),
        "note": claim.note,
        "verdict": judgement.verdict,
        "because": judgement.because,
        "requires": rows(judgement.requires),
        "conditions": rows(judgement.conditions),
    }


def write_claims(folder: Path, claims: Sequence[Claim], margin: float = 0.2) -> list[Judgement]:
    """Judge the claims over a study's folder and write `claims.json`; nothing is written where there are none."""
    if not claims:
        return []
    records = load_records(folder)
    found = [judge(records, claim, margin) for claim in claims]
    write_json(folder / "claims.json", {"margin": margin, "claims": [judgement_json(j) for j in found]})
    return found
