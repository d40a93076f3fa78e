"""Benchmarks of prompts: GenEval and DSG, on their published files."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import pytest

from bifrons.sources import Question, Wanted, dsg_examples, geneval_examples
from bifrons.sources.dsg import respected


def test_geneval_as_published(real_data: Path) -> None:
    """553 prompts of six kinds, each with what its drawing has to show."""
    made = geneval_examples(real_data / "geneval" / "evaluation_metadata.jsonl")
    assert len(made) == 553 and len({e.id for e in made}) == 553
    assert Counter(e.group for e in made) == {
        "single_object": 80,
        "two_object": 99,
        "counting": 80,
        "colors": 94,
        "position": 100,
        "color_attr": 100,
    }
    by_prompt = {e.prompt: e.wanted for e in made}
    assert by_prompt["a photo of a blue fire hydrant"] == (Wanted("fire hydrant", 1, "blue"),)
    assert by_prompt["a photo of a dog right of a teddy bear"] == (
        Wanted("teddy bear"),
        Wanted("dog", position=("right of", 0)),
    )
    assert by_prompt["a photo of two clocks"] == (Wanted("clock", 2), Wanted("clock", 3, excluded=True))
    assert all(e.image == b"" and len(e.context_keys) == 1 for e in made)
    assert geneval_examples(real_data / "geneval" / "evaluation_metadata.jsonl", count=5) == made[:5]


def test_dsg_as_published(real_data: Path) -> None:
    """1,060 prompts and 8,182 questions; needs point at the questions that the file names."""
    file = real_data / "dsg" / "dsg-1k-anns.csv"
    made = dsg_examples(file)
    assert len(made) == 1060 and sum(len(e.questions) for e in made) == 8182
    first = made[0]
    assert first.prompt == "A rubix cube with ten squares of purple"
    assert [q.needs for q in first.questions] == [(), (0,), (0,)]
    with file.open(newline="", encoding="utf-8") as opened:
        rows = list(csv.DictReader(opened))
    lonely = sum(row["dependency"] == "0" for row in rows)
    assert sum(not q.needs for e in made for q in e.questions) >= lonely
    assert all(need < len(e.questions) for e in made for q in e.questions for need in q.needs)


def needing(*needs: tuple[int, ...]) -> list[Question]:
    return [Question("entity", "?", needs=some) for some in needs]


def test_a_yes_counts_only_where_its_needs_hold() -> None:
    """Through several levels, and in whatever order the questions stand."""
    questions = needing((), (0,), (1,), (), (3, 0))
    assert respected(questions, [True] * 5) == [True] * 5
    assert respected(questions, [False, True, True, True, True]) == [False, False, False, True, False]
    assert respected(questions, [True, False, True, True, True]) == [True, False, False, True, True]
    assert respected(needing((1,), ()), [True, False]) == [False, False]
    assert respected(needing((1,), (0,)), [True, True]) == [False, False]
    with pytest.raises(ValueError, match="1 answers for 2 questions"):
        respected(needing((), ()), [True])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"prompt": "a dog", "include": []}, "has no 'tag'"),
        ({"prompt": "", "tag": "x", "include": []}, "'prompt' is empty"),
        ({"prompt": "a dog", "tag": "x", "include": "dog"}, "'include' is of type str, not list"),
        ({"prompt": "a dog", "tag": "x", "include": ["dog"]}, "an object is of type str"),
        ({"prompt": "a dog", "tag": "x", "include": [{"class": "dog", "count": "2"}]}, "'count' is of type str"),
        ({"prompt": "a dog", "tag": "x", "include": [{"class": "dog", "position": ["right of", 4]}]}, "which is none"),
        ({"prompt": "a dog", "tag": "x", "include": [{"class": "dog", "position": "left"}]}, "'position' has to be"),
    ],
)
def test_a_bad_geneval_row_is_named(row: dict[str, object], message: str, tmp_path: Path) -> None:
    (tmp_path / "geneval.jsonl").write_text(json.dumps(row))
    with pytest.raises(ValueError, match=f"geneval.jsonl, record 1: .*{message}"):
        geneval_examples(tmp_path / "geneval.jsonl")
