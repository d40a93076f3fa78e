"""Prompts with questions about their drawings that depend on one another: DSG-1k (Cho et al. 2024) and DPG-Bench (Hu
et al. 2024), which took its columns over.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from bifrons.sources.example import Example, Question
from bifrons.sources.rows import Row, read_rows, text


def dsg_examples(where: str | Path, count: int | None = None) -> list[Example]:
    """The first `count` prompts of a question file, each with its questions in the file's order; all want a yes.

    `needs` of a question are the questions that it depends on. The published file has dependencies that are words or
    name propositions which the prompt does not have: these bind nothing. Raises ValueError that names file and record.
    """
    grouped: dict[str, list[tuple[str, Row]]] = {}
    for place, row in read_rows(where):
        ident = str(row.get("item_id") if row.get("item_id") is not None else "").strip()
        if not ident:
            raise ValueError(f"{place}: has no 'item_id'")
        if ident in grouped or count is None or len(grouped) < count:
            grouped.setdefault(ident, []).append((place, row))
    return [example_of(ident, rows) for ident, rows in grouped.items()]


def example_of(ident: str, rows: list[tuple[str, Row]]) -> Example:
    prompt = text(rows[0][1], "text", rows[0][0])
    index: dict[str, int] = {}
    for number, (place, row) in enumerate(rows):
        if text(row, "text", place) != prompt:
            raise ValueError(f"{place}: {ident} has another text than in its first record")
        key = str(row.get("proposition_id")).strip()
        if key in index:
            raise ValueError(f"{place}: the proposition {key} of {ident} occurs twice")
        index[key] = number
    questions: list[Question] = []
    for number, (place, row) in enumerate(rows):
        named = re.findall(r"\d+", str(row.get("dependency") or "0"))
        needs = sorted({index[key] for key in named if key in index and index[key] != number})
        kind = str(row.get("category_broad") or "question").strip()
        questions.append(
            Question(kind, text(row, "question_natural_language", place), "yes.", ("yes", "no"), needs=tuple(needs))
        )
    return Example(id=f"dsg-{ident}", image=b"", captions=(prompt,), questions=tuple(questions), source="dsg")


def respected(questions: Sequence[Question], said_yes: Sequence[bool]) -> list[bool]:
    """Which questions hold: a yes counts only where everything that the question needs holds as well.

    Raises ValueError for answers of another number. A circle of needs holds nowhere.
    """
    if len(questions) != len(said_yes):
        raise ValueError(f"{len(said_yes)} answers for {len(questions)} questions")
    holds: dict[int, bool] = {}

    def check(number: int) -> bool:
        if number not in holds:
            holds[number] = False  # while it is looked at: a circle comes back to this
            holds[number] = said_yes[number] and all(check(need) for need in questions[number].needs)
        return holds[number]

    return [check(number) for number in range(len(questions))]
