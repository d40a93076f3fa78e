"""The tables of the report's section on HermesFlow: verdicts, the gap, rounds, records and judges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bifrons.report.fields import Node
from bifrons.report.inputs import Bounds, Results, Row, Study, Variant, setting_text
from bifrons.report.load import setting_of
from bifrons.report.numbers import DASH, interval_text, plain, signed
from bifrons.report.table import Column, Entry, Note, Table

SHOWN = (
    "answer_accuracy",
    "vqa_score",
    "pope_accuracy",
    "exact_scene",
    "attribute_accuracy",
    "clip_score_scenes",
    "gap",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GapRow:
    """One judged gap of one round and seed; `kind` is empty over all questions."""

    variant: Variant
    seed: int
    judge: str
    kind: str
    numbers: dict[str, float]
    gap_interval: Bounds | None
    deficit_interval: Bounds | None
    num_items: int


def gap_row(node: Node) -> GapRow:
    names = ("understanding", "generation", "control", "gap", "deficit")
    return GapRow(
        variant=variant_of(node),
        seed=node.needed_whole("seed"),
        judge=node.text("judge"),
        kind=node.text("kind", ""),
        numbers={name: value for name in names if (value := node.number(name)) is not None},
        gap_interval=node.bounds("gap_interval"),
        deficit_interval=node.bounds("deficit_interval"),
        num_items=node.needed_whole("num_items"),
    )


def variant_of(node: Node) -> Variant:
    return Variant(node.text("method"), setting_of(node), node.whole("round"))


def heading(study: Study, variant: Variant) -> Entry:
    known = {method.name: method.label for method in study.methods}
    parts = [setting_text(variant.setting), f"round {variant.round}" if variant.round else ""]
    return Entry(known.get(variant.method, variant.method), small=", ".join(part for part in parts if part))


def claims_table(root: Node) -> Table | None:
    claims = list(root.nodes("claims"))
    if not claims:
        return None
    rows, data = [], []
    for claim in claims:
        lines = []
        for condition in claim.nodes("conditions"):
            estimate, interval = condition.number("estimate"), condition.bounds("interval")
            what = f"{condition.text('metric')} {condition.text('kind', '')}".strip()
            measured = DASH if estimate is None else signed(estimate, 3)
            measured += f" {interval_text(interval, 3)}" if interval else ""
            lines.append(
                f"{what} of {condition.text('what')}: {measured}; rule: {condition.text('rule')}; "
                f"{condition.text('state')}."
            )
            data.append(
                {
                    "claim": claim.text("text"),
                    "verdict": claim.text("verdict"),
                    "metric": what,
                    "what": condition.text("what"),
                    "rule": condition.text("rule"),
                    "estimate": estimate,
                    "low": interval[0] if interval else None,
                    "high": interval[1] if interval else None,
                    "state": condition.text("state"),
                }
            )
        said = " ".join([*lines, claim.text("reason", ""), claim.text("note", "")]).strip()
        rows.append((Entry(claim.text("text")), Entry(claim.text("verdict"), strong=True), Entry(said)))
    return Table(
        name="hermesflow_claims",
        caption="The claims of HermesFlow with their verdicts on this model. Rules and margins stood in the study file "
        "before the run; intervals are paired bootstraps over items and seeds.",
        columns=(Column("Claim", numeric=False), Column("Verdict", numeric=False), Column("Why", numeric=False)),
        rows=tuple(rows),
        data=tuple(data),
    )


def gap_table(study: Study, gaps: list[GapRow]) -> Table | None:
    if not gaps:
        return None
    names = ("U", "G", "C", "Gap U - G", "Deficit C - G", "images")
    columns = (Column("Model", numeric=False), Column("Judge", numeric=False), *(Column(name) for name in names))
    rows = []
    for row in gaps:
        numbers = row.numbers
        entries = [Entry(plain(numbers.get(name), 3)) for name in ("understanding", "generation", "control")]
        for name, interval in (("gap", row.gap_interval), ("deficit", row.deficit_interval)):
            entries.append(
                Entry(
                    signed(numbers.get(name), 3),
                    small=interval_text(interval, 3) if interval else "",
                    strong=interval is not None and not interval[0] <= 0 <= interval[1],
                )
            )
        first = heading(study, row.variant)
        seed = f"seed {row.seed}"
        first = Entry(first.text, small=", ".join(part for part in (first.small, seed) if part))
        rows.append((first, judge_entry(row.judge), *entries, Entry(f"{row.num_items}")))
    return Table(
        name="hermesflow_gap",
        caption="The gap. U: accuracy about real images; G: the judge's accuracy on the same questions about the "
        "model's drawings; C: the judge's about real images. Bold: the 95% interval excludes 0.",
        columns=columns,
        rows=tuple(rows),
        data=tuple(gap_record(row) for row in gaps),
        notes=(Note("", "Table 4 of arXiv 2502.12148, whose judge of drawings is another, stronger model than U's."),),
    )


def judge_entry(judge: str) -> Entry:
    """A judge by what it is; a network's name with its weights below."""
    return Entry(judge) if "verifier" in judge else Entry("itself", small=judge)


def gap_record(row: GapRow) -> dict[str, Any]:
    low, high = row.gap_interval or (None, None)
    return {
        "method": row.variant.method,
        "setting": setting_text(row.variant.setting),
        "round": row.variant.round,
        "seed": row.seed,
        "judge": row.judge,
        "kind": row.kind,
        **row.numbers,
        "gap_low": low,
        "gap_high": high,
        "images": row.num_items,
    }


def kinds_table(study: Study, gaps: list[GapRow]) -> Table | None:
    """The self-judged and the verified gap by kind of question, first seed and own setting."""
    chosen = [row for row in gaps if row.kind and not row.variant.setting]
    if not chosen:
        return None
    seed = {row.variant: row.seed for row in reversed(chosen)}
    chosen = [row for row in chosen if row.seed == seed[row.variant]]
    kinds = list(dict.fromkeys(row.kind for row in chosen))
    keys = list(dict.fromkeys((row.variant, row.judge) for row in chosen))
    rows = []
    for variant, judge in keys:
        found = {row.kind: row for row in chosen if (row.variant, row.judge) == (variant, judge)}
        entries = []
        for kind in kinds:
            row = found.get(kind)
            small = (
                ""
                if row is None
                else f"{plain(row.numbers.get('understanding'), 2)} {DASH} {plain(row.numbers.get('generation'), 2)}"
            )
            entries.append(Entry(signed(row.numbers.get("gap") if row else None, 3), small=small))
        rows.append((heading(study, variant), judge_entry(judge), *entries))
    return Table(
        name="hermesflow_kinds",
        caption="The gap by kind of question; U and G below it.",
        columns=(Column("Model", numeric=False), Column("Judge", numeric=False), *(Column(kind) for kind in kinds)),
        rows=tuple(rows),
        data=tuple(gap_record(row) for row in chosen),
    )


def rounds_table(study: Study, results: Results) -> Table | None:
    """Table 5: single-sided against paired training and rounds, both faces and the gap."""
    labels = {metric.name: metric.label for metric in study.metrics}
    names = [name for name in SHOWN if name in labels]
    variants = list(dict.fromkeys(row.variant for row in results.rows))
    known = {(row.variant, row.metric): row for row in results.rows}
    if not names or not variants:
        return None
    rows, data = [], []
    for variant in variants:
        entries = []
        for name in names:
            row: Row | None = known.get((variant, name))
            mean = row.mean if row else None
            delta = row.delta if row else None
            interval = row.delta_ci95 if row else None
            small = "" if delta is None else signed(delta, 3) + (f" {interval_text(interval, 3)}" if interval else "")
            strong = interval is not None and not interval[0] <= 0 <= interval[1]
            entries.append(Entry(plain(mean, 3), small=small, strong=strong))
            data.append(
                {
                    "method": variant.method,
                    "setting": setting_text(variant.setting),
                    "round": variant.round,
                    "metric": name,
                    "mean": mean,
                    "delta": delta,
                    "low": interval[0] if interval else None,
                    "high": interval[1] if interval else None,
                }
            )
        rows.append((heading(study, variant), *entries))
    return Table(
        name="hermesflow_rounds",
        caption="Both faces after every round, and what single-sided training gives; below each its difference from "
        "the base with the paired 95% interval, bold where it excludes 0.",
        columns=(Column("Model", numeric=False), *(Column(labels[name]) for name in names)),
        rows=tuple(rows),
        data=tuple(data),
        notes=(Note("", "Table 5 of arXiv 2502.12148."),),
    )


def records_table(study: Study, root: Node) -> Table | None:
    records = list(root.nodes("records"))
    if not records:
        return None
    rows, data = [], []
    for node in records:
        variant, dropped = variant_of(node), node.node("dropped")
        causes = {cause: dropped.needed_whole(cause) for cause in dropped.value}
        said = "; ".join(f"{number} {cause}" for cause, number in causes.items())
        kept = node.needed_whole("kept")
        judge = node.node("judge")
        figures = [judge.number(name) for name in ("accuracy", "yes_bias", "chance")]
        entries = [Entry(plain(figures[0], 3)), Entry(signed(figures[1], 3)), Entry(plain(figures[2], 3))]
        seed = Entry(str(node.needed_whole("seed")))
        rows.append((heading(study, variant), seed, Entry(str(kept)), *entries, Entry(said)))
        data.append({"method": variant.method, "round": variant.round, "kept": kept, "dropped": said})
    return Table(
        name="hermesflow_records",
        caption="Homologous records of every round: kept, and dropped by cause; what the judge said of all drawings: "
        "the share answered as expected, its lean towards yes, and the chance level of yes/no and choice questions.",
        columns=(
            Column("Model", numeric=False),
            Column("Seed"),
            Column("Kept"),
            *(Column(name) for name in ("As expected", "Lean to yes", "Chance")),
            Column("Dropped", numeric=False),
        ),
        rows=tuple(rows),
        data=tuple(data),
    )


def judges_table(study: Study, root: Node) -> Table | None:
    judges = list(root.nodes("judges"))
    if not judges:
        return None
    names = ("agreement", "too_kind", "too_harsh", "yes_bias", "chance", "unread")
    labels = ("Agreement", "Too kind", "Too harsh", "Lean to yes", "Chance, yes/no", "Unread")
    rows = []
    for node in judges:
        values = [node.number(name) for name in names]
        form = [signed if name == "yes_bias" else plain for name in names]
        rows.append(
            (
                heading(study, variant_of(node)),
                Entry(str(node.needed_whole("seed"))),
                *(Entry(one(value, 3)) for one, value in zip(form, values, strict=True)),
                Entry(str(node.needed_whole("num_questions"))),
            )
        )
    return Table(
        name="hermesflow_judges",
        caption="How far self-judging errs about drawings: the model's verdicts against the exact verifier's, a "
        "question each.",
        columns=(
            Column("Model", numeric=False),
            Column("Seed"),
            *(Column(label) for label in labels),
            Column("Questions"),
        ),
        rows=tuple(rows),
        data=tuple(
            {"method": n.text("method"), "round": n.whole("round")} | {k: n.number(k) for k in names} for n in judges
        ),
        notes=(
            Note(
                "",
                "Too kind: the share of questions that the model calls answered as expected and the verifier does not.",
            ),
        ),
    )
