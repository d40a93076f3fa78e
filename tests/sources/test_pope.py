"""POPE: its real file, and questions made by its three samplings."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from bifrons.sources import pope_examples, pope_questions
from bifrons.sources.pope import SAMPLINGS
from bifrons.sources.rows import read_rows
from photographs import photograph

OBJECTS = {  # person is everywhere, dog and leash go together, kite stands alone
    1: {"person", "dog", "leash"},
    2: {"person", "dog", "leash"},
    3: {"person", "kite"},
    4: {"person", "car"},
    5: {"dog", "car"},
    6: {"car"},
}


def answers(image: int, sampling: str, seed: int = 0) -> tuple[set[str], set[str]]:
    """What is asked for with yes and with no."""
    made = pope_questions(OBJECTS, samplings=(sampling,), seed=seed)[image]  # type: ignore[arg-type]
    name = lambda q: q.text.split(" ", 3)[3].removesuffix(" in the image?")  # noqa: E731
    return {name(q) for q in made if q.answer == "yes."}, {name(q) for q in made if q.answer == "no."}


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_yes_is_there_and_no_is_not(sampling: str) -> None:
    """As many of either, none asked twice, at most six an image."""
    for image, held in OBJECTS.items():
        for seed in range(5):
            yes, no = answers(image, sampling, seed)
            assert yes <= held and not no & held
            assert len(yes) == len(no) == min(3, len(held), 5 - len(held))


def test_popular_takes_the_most_frequent_absent_objects() -> None:
    """Counts over images: person 4, dog 3, car 3, leash 2, kite 1."""
    for seed in range(5):
        assert answers(6, "popular", seed)[1] == {"person"}
        assert answers(4, "popular", seed)[1] == {"dog", "leash"}


def test_adversarial_takes_what_stands_beside() -> None:
    """Beside dog and car of image 5 stand person (2 + 1) and leash (2); beside the kite's person: dog and leash."""
    for seed in range(5):
        assert answers(5, "adversarial", seed)[1] == {"person", "leash"}
        assert answers(3, "adversarial", seed)[1] == {"dog", "leash"}


def test_random_reaches_every_absent_object() -> None:
    drawn = Counter(name for seed in range(40) for name in answers(6, "random", seed)[1])
    assert set(drawn) == {"person", "dog", "leash", "kite"} and min(drawn.values()) >= 3


def test_several_samplings_ask_for_no_object_twice() -> None:
    for questions in pope_questions(OBJECTS, samplings=SAMPLINGS, per_image=2).values():
        assert len({q.text for q in questions}) == len(questions)
    with pytest.raises(ValueError, match="per_image is 3"):
        pope_questions(OBJECTS, per_image=3)


def test_the_published_file(real_data: Path, tmp_path: Path) -> None:
    """3,000 questions, half of them yes, six an image; the pictures under their 2014 or their 2017 names."""
    file = real_data / "pope" / "coco_pope_random.json"
    rows = [row for _, row in read_rows(file)]
    assert len(rows) == 3000 and Counter(row["label"] for row in rows) == {"yes": 1500, "no": 1500}
    names = list(dict.fromkeys(row["image"] for row in rows))
    (tmp_path / names[0]).write_bytes(photograph(0))
    (tmp_path / names[1].rpartition("_")[2]).write_bytes(photograph(1))
    made = pope_examples(file, tmp_path, count=2)
    assert [e.id for e in made] == [f"pope-{Path(name).stem}" for name in names[:2]]
    assert [e.image for e in made] == [photograph(0), photograph(1)]
    for example, name in zip(made, names, strict=False):
        asked = [(row["text"], f"{row['label']}.") for row in rows if row["image"] == name]
        assert [(q.text, q.answer) for q in example.presence] == asked and len(asked) == 6


def test_rows_with_pictures_inside(tmp_path: Path) -> None:
    """The columns of the data set on the hub: question, answer, category, image_source and image."""
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    picture = {"bytes": photograph(3), "path": None}
    row = {"question": "Is there a dog in the image?", "answer": "no", "category": "popular", "image_source": "a"}
    parquet.write_table(arrow.Table.from_pylist([row | {"image": picture}]), tmp_path / "pope.parquet")
    (made,) = pope_examples(tmp_path / "pope.parquet")
    assert made.image == photograph(3)
    assert [(q.kind, q.answer) for q in made.presence] == [("presence_popular", "no.")]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"image": "a.jpg", "text": "Is there a dog?"}, "has none of 'label', 'answer'"),
        ({"image": "a.jpg", "text": "Is there a dog?", "label": "maybe"}, "yes or no, and is 'maybe'"),
        ({"image": "a.jpg", "text": "", "label": "yes"}, "'text' is empty"),
        ({"text": "Is there a dog?", "label": "yes"}, "has no image name"),
        ({"image": "../a.jpg", "text": "Is there a dog?", "label": "yes"}, "outside the image folder"),
    ],
)
def test_a_bad_row_is_named(row: dict[str, str], message: str, tmp_path: Path) -> None:
    (tmp_path / "pope.json").write_text(json.dumps(row))
    with pytest.raises(ValueError, match=f"pope.json, record 1: .*{message}"):
        pope_examples(tmp_path / "pope.json", tmp_path)
