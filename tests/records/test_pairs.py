"""Preference pairs: what a pair refuses to be, and Parquet there and back with errors that name the place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest

from bifrons.records import (
    GenerationPair,
    Provenance,
    UnderstandingPair,
    pairs_hash,
    read_pairs,
    write_pairs,
)

FULL = Provenance(
    builder="scenes",
    model="organism",
    revision="a1",
    scorer="overlap",
    seed=17,
    chosen_score=4.25,
    rejected_score=-0.1,
    details={"cooler_wins": True, "temperature": 0.2, "tries": 3, "wording": "answer in one sentence."},
)
BARE = Provenance(builder="hand")


def understanding(name: str = "u0", **changes: Any) -> UnderstandingPair:
    values: dict[str, Any] = {
        "id": name,
        "image": b"\x89PNG\x00\xff" + name.encode(),
        "question": "what is at the top left?",
        "chosen": "it is a big red circle.",
        "rejected": "it is a small réd circle.\n",
        "provenance": FULL,
        "kind": "identification",
        "chosen_tokens": (5, 6, 7),
        "rejected_tokens": (5, 9),
    }
    return UnderstandingPair(**(values | changes))


def generation(name: str = "g0", **changes: Any) -> GenerationPair:
    values: dict[str, Any] = {
        "id": name,
        "prompt": "a red circle",
        "chosen_codes": (0, 63, 16_383, 5),
        "rejected_codes": (0, 63, 16_382, 5),
        "provenance": FULL,
        "kind": "colours",
    }
    return GenerationPair(**(values | changes))


UNDERSTANDING = [
    understanding(),
    understanding("u1", provenance=BARE, kind="", chosen_tokens=None, rejected_tokens=None),
    understanding("u2", chosen_tokens=(), rejected_tokens=None),
]
GENERATION = [generation(), generation("g1", provenance=BARE, kind="", chosen_codes=(1,), rejected_codes=(2,))]


@pytest.mark.parametrize("pairs", [UNDERSTANDING, UNDERSTANDING[1:2], GENERATION, GENERATION[1:]])
def test_parquet_round_trip(pairs: list[Any], tmp_path: Path) -> None:
    """Every field of every pair, bytes and absent values included, and the types of all of them.

    Only the order of details is lost: they are stored sorted.
    """
    path = tmp_path / "new folder" / "pairs.parquet"
    write_pairs(path, pairs)
    again = read_pairs(path)
    assert again == pairs
    assert [repr(pair) for pair in again] == [repr(pair) for pair in pairs]  # 1 == 1.0 == True, and a list is no tuple
    assert [file.name for file in path.parent.iterdir()] == ["pairs.parquet"]


def test_minimal_files_of_others_are_read(tmp_path: Path) -> None:
    """Ids, contexts and the two sides are enough; the rest is marked unknown."""
    path = tmp_path / "own.parquet"
    row = {"id": "a", "image": b"x", "question": "q?", "chosen": "yes.", "rejected": "no."}
    parquet.write_table(arrow.Table.from_pylist([row]), path)
    assert read_pairs(path) == [UnderstandingPair(**row, provenance=Provenance(builder="unknown"))]


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([], "there are no pairs"),
        ([understanding(), generation()], "pairs of both tasks"),
        ([generation("same"), generation("other"), generation("same")], "the id 'same' occurs twice"),
    ],
)
def test_pairs_that_are_not_written(pairs: list[Any], message: str, tmp_path: Path) -> None:
    path = tmp_path / "pairs.parquet"
    with pytest.raises(ValueError, match=message) as caught:
        write_pairs(path, pairs)
    assert str(path) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


GOOD = {"id": "a", "image": b"x", "question": "q?", "chosen": "yes.", "rejected": "no."}
DRAWN = {"id": "d", "prompt": "a circle", "chosen_codes": [1, 2], "rejected_codes": [1, 3]}
BAD_SECOND_RECORDS = {
    "no chosen answer": (GOOD, {"chosen": None}, "understanding pair 'b' has no chosen"),
    "blank rejected answer": (GOOD, {"rejected": "  "}, "understanding pair 'b' has no rejected"),
    "no question": (GOOD, {"question": None}, "understanding pair 'b' has no question"),
    "empty image": (GOOD, {"image": b""}, "understanding pair 'b' has no image"),
    "no image": (GOOD, {"image": None}, "image is of type NoneType, not bytes"),
    "no id": (GOOD, {"id": None}, "id is of type NoneType, not str"),
    "the same answer twice": (GOOD, {"chosen": "no."}, "understanding pair 'b': .* the same answer"),
    "no chosen codes": (DRAWN, {"chosen_codes": None}, "generation pair 'b' has no chosen_codes"),
    "no rejected codes": (DRAWN, {"rejected_codes": []}, "generation pair 'b' has no rejected_codes"),
    "no prompt": (DRAWN, {"prompt": None}, "generation pair 'b' has no prompt"),
    "drawings of two sizes": (DRAWN, {"chosen_codes": [1]}, "generation pair 'b': .* differ in length"),
    "the same drawing twice": (DRAWN, {"chosen_codes": [1, 3]}, "generation pair 'b': .* the same drawing"),
    "details that are no JSON": (GOOD, {"provenance_details": "{"}, "Expecting"),
}


@pytest.mark.parametrize("case", BAD_SECOND_RECORDS)
def test_a_bad_record_is_named_with_its_file(case: str, tmp_path: Path) -> None:
    good, change, message = BAD_SECOND_RECORDS[case]
    path = tmp_path / "pairs.parquet"
    first = {**good, "provenance_details": None}
    parquet.write_table(arrow.Table.from_pylist([first, {**first, "id": "b", **change}]), path)
    with pytest.raises(ValueError, match=message) as caught:
        read_pairs(path)
    assert str(caught.value).startswith(f"{path}, record 1: ")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{k: v for k, v in GOOD.items() if k != "rejected"}], ", record 0: .*missing .*'rejected'"),
        ([{**GOOD, "colour": "red"}], ", record 0: .*unexpected keyword argument 'colour'"),
        ([{**GOOD, "question": 3}], ", record 0: question is of type int, not str"),
        ([{**GOOD, "image": {"bytes": b"x", "path": ""}}], ", record 0: image is of type dict, not bytes"),
        ([GOOD, GOOD], ": the id 'a' occurs twice"),
        ([{"id": "a", "text": "hello"}], ": neither understanding pairs .* nor generation pairs"),
    ],
)
def test_a_layout_that_cannot_be_read(rows: list[dict[str, Any]], message: str, tmp_path: Path) -> None:
    path = tmp_path / "pairs.parquet"
    parquet.write_table(arrow.Table.from_pylist(rows), path)
    with pytest.raises(ValueError, match=message) as caught:
        read_pairs(path)
    assert str(caught.value).startswith(str(path))


def test_a_file_without_rows(tmp_path: Path) -> None:
    path = tmp_path / "pairs.parquet"
    parquet.write_table(arrow.Table.from_pylist([GOOD]).slice(0, 0), path)
    with pytest.raises(ValueError, match="holds no pairs"):
        read_pairs(path)


@pytest.mark.parametrize("content", [None, b"", b"PAR1 is how it starts, and then it is text", b'{"id": 1}\n' * 50])
def test_a_file_that_is_missing_or_no_parquet(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "pairs.parquet"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match="no such file" if content is None else "not a Parquet file") as caught:
        read_pairs(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_context_keys_are_of_what_must_not_be_shared() -> None:
    """The image for understanding, whatever is asked; the prompt for generation, in whatever case it is written."""
    assert understanding().context_keys == understanding(question="how many?", name="u0").context_keys
    assert understanding("u0").context_keys != understanding("u1").context_keys  # another image
    assert generation().context_keys == generation(prompt=" A red Circle ", chosen_codes=(9, 9, 9, 9)).context_keys
    assert generation().context_keys != generation(prompt="a red square").context_keys


CHANGES: list[Callable[[UnderstandingPair], UnderstandingPair]] = [
    lambda pair: replace(pair, image=pair.image + b"!"),
    lambda pair: replace(pair, question="?"),
    lambda pair: replace(pair, chosen="x"),
    lambda pair: replace(pair, rejected="x"),
    lambda pair: replace(pair, chosen_tokens=(5, 6)),
    lambda pair: replace(pair, rejected_tokens=None),
]


@pytest.mark.parametrize("change", CHANGES)
def test_the_hash_of_pairs_sees_all_that_training_sees(
    change: Callable[[UnderstandingPair], UnderstandingPair],
) -> None:
    assert pairs_hash([change(UNDERSTANDING[0])]) != pairs_hash(UNDERSTANDING[:1])


def test_the_hash_of_pairs_sees_their_order_and_not_their_provenance() -> None:
    assert pairs_hash(UNDERSTANDING) != pairs_hash(UNDERSTANDING[::-1])
    assert pairs_hash([replace(pair, provenance=BARE) for pair in UNDERSTANDING]) == pairs_hash(UNDERSTANDING)
    assert pairs_hash(GENERATION) == "2cff6c3078e3e7c5403c"  # what stored runs hold
