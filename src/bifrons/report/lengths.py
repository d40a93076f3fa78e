"""Is the understanding score a matter of length? Score per word, and correlations within and across methods."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bifrons.claims import load_records
from bifrons.claims.records import Records
from bifrons.report.inputs import Study
from bifrons.report.numbers import DASH, interval_text, plain
from bifrons.report.published import published
from bifrons.report.table import Column, Datum, Entry, Note, Table
from bifrons.stats import Correlation, GroupedCorrelation, grouped_correlation

SCORE, WORDS = "vqa_score", "response_length"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """By method: (score, words) of every answer of every seed; and the correlations, None with the reason."""

    answers: dict[str, list[tuple[float, float]]]
    found: GroupedCorrelation | None
    reason: str = ""


def load_lengths(file: Path, study: Study) -> Lengths | None:
    """From the stored per-item scores of the study's first model; None where there are none."""
    if not file.is_file():
        return None
    records = load_records(file.parent)
    answers = {m.name: both for m in study.methods if (both := scored_answers(records, study.model, m.name))}
    if not answers:
        return None
    groups = [name for name, rows in answers.items() for _ in rows]
    every = [row for rows in answers.values() for row in rows]
    try:
        found = grouped_correlation([words for _, words in every], [score for score, _ in every], groups)
    except ValueError as error:
        return Lengths(answers=answers, found=None, reason=str(error))
    return Lengths(answers=answers, found=found)


def scored_answers(records: Records, model: str, method: str) -> list[tuple[float, float]]:
    lengths = {run.seed: run.items for run in records.runs(model, method, {}, WORDS)}
    return [
        (score, lengths[run.seed][item])
        for run in records.runs(model, method, {}, SCORE)
        for item, score in run.items.items()
        if item in lengths.get(run.seed, {})
    ]


def length_table(study: Study, lengths: Lengths | None) -> Table | None:
    """Table 12 of the paper: score, words and score per word; and the correlation of the two over answers."""
    if lengths is None:
        return None
    known = {row["method"]: row for row in published()["table12_length_7b"]}
    rows: list[tuple[Entry, ...]] = []
    data: list[dict[str, Datum]] = []
    for name, answers in lengths.answers.items():
        score, words = (sum(column) / len(answers) for column in zip(*answers, strict=True))
        own = lengths.found.by_group.get(name) if lengths.found else None
        row = known.get(name, {})
        rows.append(
            (
                Entry(study.method(name).label),
                Entry(plain(score, 3)),
                Entry(plain(words, 2)),
                Entry(plain(score / words if words else None, 3)),
                Entry(DASH if own is None else r_text(own)),
                Entry(plain(row.get("vqa_score"), 3)),
                Entry(plain(row.get("words"), 1)),
                Entry(plain(row.get("score_per_word"), 3)),
            )
        )
        record: dict[str, Datum] = {"method": name, "score": score, "words": words, "answers": len(answers)}
        record |= {"score_per_word": score / words if words else None, "correlation": own.r if own else None}
        data.append(record | {f"published_7b_{key}": row.get(key) for key in ("vqa_score", "words", "score_per_word")})
    names = ("VQA score", "Words", "Score a word", "r of words and score")
    return Table(
        name="length",
        caption="Length and score: means, score a word, and the correlation of words and score over single answers. "
        "(Table 12 of arXiv 2603.17044.)",
        columns=(
            Column("Method", numeric=False),
            *(Column(name, "Measured", opens=name == names[0]) for name in names),
            *(Column(name, "Published, Janus-Pro 7B", published=True, opens=name == names[0]) for name in names[:3]),
        ),
        rows=tuple(rows),
        data=tuple(data),
        notes=(Note("", length_sentence(lengths)),),
    )


def r_text(found: Correlation) -> str:
    if found.r is None:
        return DASH
    interval = "" if found.interval is None else f" {interval_text((found.interval.low, found.interval.high), 2)}"
    return f"{plain(found.r, 2)}{interval}"


def length_sentence(lengths: Lengths) -> str:
    """What the correlations come to."""
    if lengths.found is None:
        return f"There is no correlation of length and score: {lengths.reason}."
    named = {"over answers within a method": lengths.found.within, "across the means of methods": lengths.found.across}
    parts = [
        f"{name} {r_text(found)}" if found.r is not None else f"{name} none ({found.reason})"
        for name, found in named.items()
    ]
    return f"Correlation of words and score: {'; '.join(parts)}. A score that follows length says little of its own."
