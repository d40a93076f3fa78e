"""Homologous records: both faces of one record by id, refusals, and the file there and back."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from bifrons.records import (
    HomologousRecord,
    JudgeQuestion,
    Sample,
    homologous_pairs,
    join_pairs,
    read_homologous,
    write_homologous,
)


def record(name: str, **changes: object) -> HomologousRecord:
    number = int(name.removeprefix("r"))
    made = HomologousRecord(
        id=name,
        image=f"picture {name}".encode(),
        caption=f"caption of {name}",
        question="describe the picture.",
        captions=(
            Sample(tokens=(number, 1), text=f"good {name}", score=0.9, scorer="f1", seed=11),
            Sample(tokens=(number, 2), text=f"bad {name}", score=0.2, scorer="f1", seed=12),
            Sample(tokens=(number, 3), text="cut"),
        ),
        drawings=(
            Sample(tokens=(number, 7, 7), score=0.25, scorer="judge", seed=13),
            Sample(tokens=(number, 8, 8), score=1.0, scorer="judge", seed=14),
        ),
        chosen_caption=0,
        rejected_caption=1,
        chosen_drawing=1,
        rejected_drawing=0,
        questions=(JudgeQuestion(kind="presence", text="is there a dog?", answer="no."),),
        model="tiny",
        revision="abc",
        details={"example": name},
    )
    return replace(made, **changes)  # type: ignore[arg-type]


RECORDS = [record(f"r{i}") for i in range(6)]


def test_one_record_gives_a_pair_to_each_face() -> None:
    """The same ids in the same order; the tokens that were sampled, untouched; the prompt is the caption."""
    understanding, generation = homologous_pairs(RECORDS)
    assert [p.id for p in understanding] == [p.id for p in generation] == [r.id for r in RECORDS]
    for made, drawn, source in zip(understanding, generation, RECORDS, strict=True):
        assert (made.chosen_tokens, made.rejected_tokens) == (source.captions[0].tokens, source.captions[1].tokens)
        assert (drawn.chosen_codes, drawn.rejected_codes) == (source.drawings[1].tokens, source.drawings[0].tokens)
        assert (made.image, made.question, drawn.prompt) == (source.image, source.question, source.caption)
        assert (drawn.provenance.chosen_score, drawn.provenance.rejected_score) == (1.0, 0.25)


def test_a_join_survives_a_shuffle() -> None:
    """Whatever order the two files come in, a picture meets the drawing of its own caption."""
    understanding, generation = homologous_pairs(RECORDS)
    random.Random(0).shuffle(generation)
    read, drawn, alone = join_pairs(understanding[1:], generation)
    assert [p.id for p in read] == [p.id for p in drawn] == ["r1", "r2", "r3", "r4", "r5"]
    assert all(p.prompt == f"caption of {p.id}" for p in drawn)
    assert alone == {"understanding": [], "generation": ["r0"]}


def test_dropped_records_are_not_trained_on() -> None:
    records = [RECORDS[0], replace(RECORDS[1], dropped="best drawing not above 0.6"), RECORDS[2]]
    understanding, generation = homologous_pairs(records)
    assert [p.id for p in understanding] == [p.id for p in generation] == ["r0", "r2"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image": b""}, "'r0' has no image"),
        ({"caption": " "}, "'r0' has no caption"),
        ({"question": ""}, "'r0' has no question"),
        ({"chosen_caption": 1, "rejected_caption": 0}, "'r0': chosen captions do not score above rejected"),
        ({"rejected_drawing": 1}, "'r0': chosen drawings do not score above rejected"),
        ({"rejected_caption": 2}, "'r0': chosen captions do not score above rejected"),  # it has no score
        ({"chosen_drawing": 5}, "'r0': there is no sample 5 among its drawings"),
        ({"rejected_drawing": None}, "'r0' has no chosen and rejected drawings"),
    ],
)
def test_a_bad_record_is_refused_by_name(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        record("r0", **changes)


def test_duplicate_ids_are_refused_by_name(tmp_path: Path) -> None:
    twice = [*RECORDS, RECORDS[2]]
    with pytest.raises(ValueError, match="'r2' occurs twice"):
        homologous_pairs(twice)
    path = tmp_path / "records.parquet"
    with pytest.raises(ValueError, match="records.parquet: the id 'r2' occurs twice"):
        write_homologous(path, twice)
    assert not path.exists()


def test_files_hold_everything(tmp_path: Path) -> None:
    """Samples without a score, dropped records, questions and details come back as they were."""
    records = [
        *RECORDS,
        replace(
            RECORDS[0],
            id="r7",
            image=b"",
            captions=(),
            drawings=(),
            dropped="image missing",
            chosen_caption=None,
            rejected_caption=None,
            chosen_drawing=None,
            rejected_drawing=None,
            questions=(),
        ),
    ]
    path = tmp_path / "records.parquet"
    write_homologous(path, records)
    assert read_homologous(path) == records


def test_other_files_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nothing.parquet: no such file"):
        read_homologous(tmp_path / "nothing.parquet")
    path = tmp_path / "text.parquet"
    path.write_text("no")
    with pytest.raises(ValueError, match="text.parquet: not a Parquet file"):
        read_homologous(path)
    with pytest.raises(ValueError, match="there are no records"):
        write_homologous(path, [])
