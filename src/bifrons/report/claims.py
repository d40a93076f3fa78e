"""The verdicts of the claims: `claims.json` read, its table, and what it comes to in one sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bifrons.report.fields import Node, top
from bifrons.report.inputs import Study
from bifrons.report.numbers import DASH, count, listed, significant
from bifrons.report.table import Column, Datum, Entry, Note, Table

Verdict = Literal["reproduced", "not reproduced", "undecided", "not testable here"]
VERDICTS: tuple[Verdict, ...] = ("reproduced", "not reproduced", "undecided", "not testable here")
DECIDES: dict[str, str] = {"not reproduced": "no", "undecided": "undecided", "not testable here": "absent"}
MEANINGS = (
    "Reproduced: every condition holds. Not reproduced: one at least is refuted. Undecided: nothing is refuted, but "
    "something is neither shown nor excluded at this sample size. Not testable here: what it needs is not in this "
    "study, or a positive control that has to come first does not hold. Figures of a metric are differences from base "
    "unless another method is named. Intervals are at 95%; that of a metric is the wider of the paired t interval over "
    "items and the two-way bootstrap over items and seeds. No effect is only called so where equivalence holds at the "
    "margin."
)
STATISTICS = {
    "cosine": "Cosine of the task gradients",
    "layer_cosines": "Cosine by layer",
    "intra_understanding": "Cosine of understanding with itself",
    "intra_generation": "Cosine of generation with itself",
    "ratio": "Length ratio of the gradients",
    "ratio_variation": "Variation of the length ratio",
    "ratio_over_tokens": "Length ratio over token ratio",
    "token_slope": "Slope of log length ratio on log token ratio",
    "training_cosine": "Cosine through training",
    "loss_understanding": "Final understanding loss",
    "loss_generation": "Final generation loss",
    "loss_sum": "Sum of final losses",
    "weight_over_length": "Settled weight ratio over token ratio",
    "control_planted": "Accuracy on planted pairs",
    "control_overfit_understanding": "Accuracy on understanding pairs learned by heart",
    "control_overfit_generation": "Accuracy on generation pairs learned by heart",
}
WORDS = {
    "above": "lies above",
    "below": "lies below",
    "equivalent": "is equivalent to",
    "not_above": "is not above",
    "not_below": "is not below",
    "within": "lies within",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimFigure:
    name: str
    holds: str
    value: float | None
    low: float | None
    high: float | None
    margin: float | None
    smallest_effect: float | None
    how: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimCondition:
    """One condition of a claim. `required` ones come before the claim may be judged."""

    of: str
    rule: str
    bounds: str
    setting: str
    model: str
    holds: str
    required: bool
    figures: tuple[ClaimFigure, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    number: int
    text: str
    scope: tuple[str, ...]
    note: str
    verdict: Verdict
    because: str
    conditions: tuple[ClaimCondition, ...]


def load_claims(file: Path) -> tuple[Claim, ...]:
    """Empty where the study has no claims. Raises ValueError that names the file and the key."""
    if not file.is_file():
        return ()
    return tuple(
        Claim(
            number=node.needed_whole("number"),
            text=node.text("text"),
            scope=tuple(str(part) for part in node.value.get("scope") or ()),
            note=node.text("note", ""),
            verdict=node.choice("verdict", VERDICTS),
            because=node.text("because", ""),
            conditions=tuple(
                condition(part, required)
                for key, required in (("requires", True), ("conditions", False))
                for part in node.nodes(key)
            ),
        )
        for node in top(file).nodes("claims", needed=True)
    )


def condition(node: Node, required: bool) -> ClaimCondition:
    rule = node.choice("rule", tuple(WORDS))
    if rule == "within":
        low, high = node.number("low"), node.number("high")
        ends = [DASH if end is None else significant(end) for end in (low, high)]
        bounds = f"{ends[0]} to {ends[1]}" if low is not None and high is not None else ""
        bounds = bounds or (f"at least {ends[0]}" if low is not None else f"at most {ends[1]}")
    else:
        bounds = significant(node.number("value") or 0.0)
    setting = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in node.node("setting").value.items())
    return ClaimCondition(
        of=node.text("of"),
        rule=rule,
        bounds=bounds,
        setting=setting,
        model=node.text("model", ""),
        holds=node.text("holds"),
        required=required,
        figures=tuple(
            ClaimFigure(
                name=part.text("name"),
                holds=part.text("holds"),
                **{key: part.number(key) for key in ("value", "low", "high", "margin", "smallest_effect")},
                how=part.text("how", ""),
                reason=part.text("reason", ""),
            )
            for part in node.nodes("figures")
        ),
    )


def claims_sentence(claims: tuple[Claim, ...]) -> str:
    """How many claims have which verdict, and which."""
    counted = Counter(claim.verdict for claim in claims)
    parts = [
        f"{counted[verdict]} {'is' if counted[verdict] == 1 else 'are'} {verdict} "
        f"({', '.join(str(claim.number) for claim in claims if claim.verdict == verdict)})"
        for verdict in VERDICTS
        if counted[verdict]
    ]
    return f"Of {count(len(claims), 'claim')} {listed(parts)}." if claims else ""


def claims_table(study: Study, claims: tuple[Claim, ...]) -> Table | None:
    """One row a claim: its verdict, and the figures that decide it."""
    if not claims:
        return None
    return Table(
        name="claims",
        caption="The claims of arXiv 2603.17044, each judged by the rule that stood in the study file before the run.",
        columns=(
            Column("No."),
            Column("Claim", numeric=False),
            Column("Verdict", numeric=False),
            Column("What decides it", numeric=False),
        ),
        rows=tuple(
            (
                Entry(str(claim.number)),
                Entry(claim.text, small=f"Published for {listed(claim.scope)}. {claim.note}".strip()),
                Entry(claim.verdict, strong=claim.verdict in ("reproduced", "not reproduced")),
                Entry(deciding(study, claim)),
            )
            for claim in claims
        ),
        data=tuple(line for claim in claims for line in claim_records(claim)),
        notes=(Note("", MEANINGS),),
    )


def deciding(study: Study, claim: Claim) -> str:
    """The conditions that make the verdict, in words."""
    unmet = [part for part in claim.conditions if part.required and part.holds != "yes"]
    own = [part for part in claim.conditions if not part.required]
    wanted = DECIDES.get(claim.verdict, "yes")
    chosen = unmet or [part for part in own if part.holds == wanted]
    if not chosen:
        return claim.because
    text = "; ".join(condition_text(study, part) for part in chosen)
    return f"Required first and not shown: {text}." if unmet else f"{text}."


def condition_text(study: Study, part: ClaimCondition) -> str:
    where = "".join(f", {extra}" for extra in (part.setting, part.model) if extra)
    deciding = [figure for figure in part.figures if figure.holds == part.holds]
    asked = f" (asked for: {part.bounds})" if part.rule == "within" else ""
    return f"{statistic_label(study, part.of)}{where}: {figures_text(study, deciding)}{asked}"


def figures_text(study: Study, figures: Sequence[ClaimFigure]) -> str:
    """Figures one after another; those that are absent for one reason, and one margin of all, are said once."""
    known = [figure for figure in figures if has_interval(figure)]
    margins = {figure.margin for figure in known}
    common = margins.pop() if len(margins) == 1 else None
    parts = [figure_text(study, figure, with_margin=common is None) for figure in known]
    if common is not None:
        parts[-1] += f" (margin {significant(common, 2)})"
    absent: dict[str, list[str]] = {}
    for figure in figures:
        if not has_interval(figure):
            absent.setdefault(figure.reason or "no margin", []).append(figure_name(study, figure))
    parts += [f"{listed(filter(None, names))} absent ({reason})".strip() for reason, names in absent.items()]
    return ", ".join(parts)


def has_interval(figure: ClaimFigure) -> bool:
    return figure.value is not None and figure.low is not None and figure.high is not None


def figure_name(study: Study, figure: ClaimFigure) -> str:
    """The methods that a figure is of; empty where its statistic says all."""
    labels = {method.name: method.label for method in study.methods}
    methods = figure.name.removesuffix(" - base").split(" - ")
    if figure.name.startswith("layer "):
        return figure.name
    return " minus ".join(labels[method] for method in methods) if all(m in labels for m in methods) else ""


def figure_text(study: Study, figure: ClaimFigure, *, with_margin: bool = True) -> str:
    if figure.value is None or figure.low is None or figure.high is None:
        return f"{figure_name(study, figure) or 'It is'} absent ({figure.reason or 'no margin'})"
    text = f"{figure_name(study, figure)} {significant(figure.value)}".strip()
    if figure.low != figure.high:
        text += f" [{significant(figure.low)},\u00a0{significant(figure.high)}]"
    if figure.margin is not None and with_margin:
        text += f" (margin {significant(figure.margin, 2)})"
    if figure.holds == "undecided" and figure.smallest_effect is not None:
        text += f", smallest detectable effect {significant(figure.smallest_effect, 2)}"
    return text


def statistic_label(study: Study, name: str) -> str:
    labels = {metric.name: metric.label for metric in study.metrics} | STATISTICS
    return labels.get(name, name.replace("_", " "))


def claim_records(claim: Claim) -> list[dict[str, Datum]]:
    """One line of CSV a figure."""
    return [
        {
            "claim": claim.number,
            "verdict": claim.verdict,
            "required_first": str(part.required).lower(),
            "statistic": part.of,
            "setting": part.setting,
            "model": part.model,
            "rule": f"{part.rule} {part.bounds}",
            "figure": figure.name,
            "value": figure.value,
            "ci95_low": figure.low,
            "ci95_high": figure.high,
            "margin": figure.margin,
            "smallest_effect": figure.smallest_effect,
            "interval_over": figure.how,
            "holds": figure.holds,
            "reason": figure.reason,
        }
        for part in claim.conditions
        for figure in part.figures
    ]


def conditions_table(study: Study, claims: tuple[Claim, ...]) -> Table | None:
    """Every figure of every condition, with its rule."""
    lines = [(claim, part, figure) for claim in claims for part in claim.conditions for figure in part.figures]
    if not lines:
        return None
    rows = tuple(
        (
            Entry(str(claim.number), small="first" if part.required else ""),
            Entry(
                statistic_label(study, part.of),
                small=", ".join(extra for extra in (part.setting, part.model) if extra),
            ),
            Entry(f"{WORDS[part.rule]} {part.bounds}"),
            Entry(figure_text(study, figure), small=figure.how),
            Entry(figure.holds),
        )
        for claim, part, figure in lines
    )
    names = ("Claim", "Statistic", "Rule", "Figure", "Holds")
    return Table(
        name="conditions",
        caption="Every condition of every claim, with its rule and its figure.",
        columns=tuple(Column(name, numeric=name == "Claim") for name in names),
        rows=rows,
        data=tuple(line for claim in claims for line in claim_records(claim)),
    )
