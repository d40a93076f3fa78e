"""TRL's preference format out and in again, and what of it is no pair about one image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bifrons.pairs import pictured_pairs, read_trl, write_trl
from bifrons.records import Provenance, UnderstandingPair
from bifrons.sources.rows import read_rows
from photographs import photograph
from stand_in import StandIn

PAIRS = [
    UnderstandingPair(
        id=f"p{i}",
        image=photograph(i),
        question="What is <here> in the picture?\nLook closely.",
        chosen=f"A dog, {i}.",
        rejected="Nothing & no one.",
        kind="identification",
        provenance=Provenance(builder="test", chosen_score=2.5, rejected_score=1.0),
    )
    for i in range(3)
]
USER = {"role": "user", "content": "What is it?"}
GOOD, BAD = ([{"role": "assistant", "content": text}] for text in ("A dog.", "A cat."))
ROW: dict[str, Any] = {"prompt": [USER], "chosen": GOOD, "rejected": BAD, "images": ["a.jpg"]}


def plain_fields(pair: UnderstandingPair) -> tuple[object, ...]:
    made = pair.provenance
    fields = (pair.id, pair.image, pair.question, pair.chosen, pair.rejected, pair.kind)
    return (*fields, made.chosen_score, made.rejected_score)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.jpg").write_bytes(photograph(9))
    return tmp_path


def imported(folder: Path, *rows: dict[str, Any]) -> list[UnderstandingPair]:
    (folder / "mine.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return read_trl(folder / "mine.jsonl")


@pytest.mark.parametrize("conversational", [True, False])
@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_out_and_in_again(ending: str, conversational: bool, tmp_path: Path) -> None:
    """Every field, the image to the last byte, and the scores; one file an image, however many pairs have it."""
    file = tmp_path / f"out.{ending}"
    write_trl(file, PAIRS, conversational=conversational)
    assert list(map(plain_fields, read_trl(file))) == list(map(plain_fields, PAIRS))
    assert all(isinstance(row["prompt"], list) == conversational for _, row in read_rows(file))
    if ending == "jsonl":
        assert len(list((tmp_path / "out_images").iterdir())) == 3


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_trl_takes_it_for_its_own(ending: str, tmp_path: Path) -> None:
    """The oracle: `datasets` loads the Parquet file with pictures, and TRL sees a conversation with as many images as
    places for them.
    """
    datasets, utils = pytest.importorskip("datasets"), pytest.importorskip("trl.data_utils")
    file = tmp_path / f"out.{ending}"
    write_trl(file, PAIRS)
    loaded = datasets.load_dataset(
        {"jsonl": "json"}.get(ending, ending), data_files=str(file), split="train", cache_dir=str(tmp_path / "cache")
    )
    row = loaded[1]
    assert utils.is_conversational(row)
    assert [part["type"] for part in row["prompt"][0]["content"]] == ["image", "text"]
    assert len(row["images"]) == 1
    if ending == "parquet":
        assert row["images"][0].size == (48, 32)


def test_plain_and_implicit_prompts(folder: Path) -> None:
    """A text, a conversation, a prompt that both responses begin with, and a placeholder where the image goes."""
    rows = [
        ROW | {"prompt": "<image>\nWhat is it?", "chosen": "A dog.", "rejected": "A cat."},
        ROW,
        {"chosen": [USER, *GOOD], "rejected": [USER, *BAD], "images": ["a.jpg"]},
        {"prompt": "What is it?", "chosen": "A dog.", "rejected": "A cat.", "image": "a.jpg"},
    ]
    for pair in imported(folder, *rows):
        assert (pair.question, pair.chosen, pair.rejected) == ("What is it?", "A dog.", "A cat.")
        assert pair.image == photograph(9) and pair.provenance.builder == "imported"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"chosen": None}, "has no 'chosen'"),
        ({"prompt": None}, "the prompt has 0 turns"),
        ({"prompt": None, "chosen": "a", "rejected": "b"}, "has no 'prompt'"),
        ({"prompt": [USER, *GOOD, USER]}, "the prompt has 3 turns"),
        ({"chosen": BAD}, "are the same answer"),
        ({"chosen": [USER]}, "chosen is a turn of 'user', not of 'assistant'"),
        ({"chosen": [{"role": "assistant", "content": " "}]}, "chosen holds no text"),
        ({"prompt": "<image>"}, "has no question"),
        ({"images": []}, "has 0 images"),
        ({"images": ["a.jpg", "a.jpg"]}, "has 2 images"),
        ({"images": ["b.jpg"]}, "there is no image 'b.jpg'"),
        ({"images": ["../a.jpg"]}, "outside the image folder"),
        ({"images": [3]}, "the image is of type int"),
        ({"chosen_score": "high"}, "'chosen_score' is of type str"),
    ],
)
def test_what_is_no_pair_is_named(change: dict[str, Any], message: str, folder: Path) -> None:
    with pytest.raises(ValueError, match=f"mine.jsonl, record 2.*{message}"):
        imported(folder, ROW | {"id": "first"}, ROW | change)


def test_ids_that_occur_twice_are_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="mine.jsonl: the id 'x' occurs twice"):
        imported(folder, ROW | {"id": "x"}, ROW | {"id": "x"})


def test_pictures_that_somebody_ranked(tmp_path: Path) -> None:
    """Each side becomes the model's codes of its middle square; equal pictures are dropped and counted."""
    import numpy as np

    from bifrons.scenes import draw_scene, render
    from bifrons.sources.scenes import png
    from stand_in import scene_codes

    scenes = [draw_scene(np.random.default_rng(i), "pairs") for i in range(2)]
    for name, scene in zip("ab", scenes, strict=True):
        (tmp_path / f"{name}.png").write_bytes(png(render(scene)))
    rows = [
        {"prompt": "a circle", "chosen": "a.png", "rejected": "b.png"},
        {"prompt": "a square", "chosen": "a.png", "rejected": "a.png"},
    ]
    (tmp_path / "ranked.jsonl").write_text("\n".join(map(json.dumps, rows)))
    built = pictured_pairs(StandIn(), tmp_path / "ranked.jsonl")  # type: ignore[arg-type]
    assert [(p.prompt, p.chosen_codes, p.rejected_codes) for p in built.pairs] == [
        ("a circle", *map(scene_codes, scenes))
    ]
    assert built.dropped == {"both pictures have the same codes": 1}
    rows[0]["rejected"] = "../secret.png"
    (tmp_path / "ranked.jsonl").write_text(json.dumps(rows[0]))
    with pytest.raises(ValueError, match=r"ranked.jsonl, record 1, rejected: .*outside"):
        pictured_pairs(StandIn(), tmp_path / "ranked.jsonl")  # type: ignore[arg-type]
