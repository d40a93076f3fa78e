"""COCO: real files and made ones, the two sides, and what boxes say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bifrons.sources import Example, Source, coco_examples, refuse_overlap
from bifrons.sources.photo_questions import Box, photo_questions, plural
from photographs import captions_of, write_coco

KINDS = ["identification", "counting", "spatial", "attribute", "description"]
CATEGORIES = ("car", "dog", "person")


def examples(folder: Path, side: str, count: int, seed: int = 0, share: float = 0.5) -> list[Example]:
    files = {"captions": folder / "captions.json", "images": folder / "images", "instances": folder / "instances.json"}
    return Source(source="coco", evaluation_share=share, **files).examples(side, count, seed)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_coco(tmp_path_factory.mktemp("coco"))


def test_real_photographs(real_data: Path) -> None:
    """Both sides of the subset: bytes of the files, five captions, five kinds; truths only where boxes are known."""
    coco = real_data / "coco"
    files = (coco / "captions_subset.json", coco / "images", coco / "instances_subset.json")
    made = {side: coco_examples(*files, side=side, count=12, seed=3) for side in ("pairs", "evaluation")}  # type: ignore[arg-type]
    refuse_overlap({key: e.id for e in made["pairs"] for key in e.context_keys}, made["evaluation"])
    known = {row["id"] for row in json.loads(files[2].read_text())["images"]}
    for example in (*made["pairs"], *made["evaluation"]):
        ident = int(example.id.removeprefix("coco-"))
        assert example.image == (coco / "images" / f"{ident:012}.jpg").read_bytes()
        assert len(example.captions) == 5 and [q.kind for q in example.questions] == KINDS
        if ident not in known:
            assert not example.presence and not any(q.answer for q in example.questions)
    assert any(e.presence for e in made["pairs"])


def test_the_full_captions_file_is_read(real_data: Path) -> None:
    """5,000 photographs with at least five captions each, in spite of a top-level key more."""
    from bifrons.sources.coco import read_captions

    photos = read_captions(real_data / "coco" / "captions_val2017.json")
    assert len(photos) == 5000 and sum(len(photo.captions) for photo in photos.values()) == 25_014
    assert min(len(photo.captions) for photo in photos.values()) == 5


def test_an_example_is_a_function_of_its_image(folder: Path) -> None:
    """The same arguments give the same records; a longer list begins with the shorter; the seed changes the order."""
    assert examples(folder, "pairs", 6) == examples(folder, "pairs", 6)
    assert examples(folder, "pairs", 8)[:6] == examples(folder, "pairs", 6)
    assert [e.id for e in examples(folder, "pairs", 6, seed=1)] != [e.id for e in examples(folder, "pairs", 6)]


def test_sides_share_nothing_whatever_seed_and_count(folder: Path) -> None:
    pairs = {key: e.id for seed in range(5) for e in examples(folder, "pairs", 6, seed) for key in e.context_keys}
    for seed in range(5):
        refuse_overlap(pairs, examples(folder, "evaluation", 6, seed))


def test_a_share_moves_images_one_way(folder: Path) -> None:
    """What evaluates at a small share evaluates at a larger one."""
    small = {e.id for e in examples(folder, "evaluation", 3, share=0.3)}
    large = {e.id for e in examples(folder, "evaluation", 18, share=0.9)}
    assert small <= large or len(large) < 20


def test_a_prompt_of_two_images_never_trains(tmp_path: Path) -> None:
    """Every photograph is called the same but for two: only those can train, and one of the others can evaluate."""
    write_coco(tmp_path / "coco", 12)
    said = captions_of(12)
    for row in said["annotations"][4:]:
        row["caption"] = "A man riding a wave." if row["id"] % 10 == 0 else row["caption"]
    (tmp_path / "coco" / "captions.json").write_text(json.dumps(said))
    pairs = examples(tmp_path / "coco", "pairs", 1, share=0.01)
    assert pairs[0].id in ("coco-1", "coco-2")
    with pytest.raises(ValueError, match="has 2 images for pairs, and 3 are asked for"):
        examples(tmp_path / "coco", "pairs", 3, share=0.01)
    with pytest.raises(ValueError, match="has 3 images for evaluation, and 12 are asked for"):
        examples(tmp_path / "coco", "evaluation", 12, share=0.99)


def test_only_what_is_asked_for_is_read(folder: Path) -> None:
    """A broken photograph that is not chosen does no harm; chosen, it is named with file and record."""
    broken = folder / "images" / f"{examples(folder, 'pairs', 8)[7].id.removeprefix('coco-'):0>12}.jpg"
    good = broken.read_bytes()
    try:
        broken.write_bytes(good[:100])
        assert len(examples(folder, "pairs", 3)) == 3
        with pytest.raises(ValueError, match=rf"captions.json, image \d+: {broken.name}: cannot be read"):
            examples(folder, "pairs", 8)
    finally:
        broken.write_bytes(good)


DOG, CAR = Box("dog", 0, 10, 20, 20), Box("car", 50, 10, 60, 40)
PEOPLE = [Box("person", 5 * i, 70, 4, 4) for i in range(3)]


def test_boxes_answer_four_kinds() -> None:
    """A dog left of a car that is larger, and three people below both."""
    made = {q.kind: q for q in photo_questions(7, [DOG, CAR, *PEOPLE], CATEGORIES, 0)}
    assert made["identification"].answer == "car" and made["identification"].choices == CATEGORIES
    noun = made["counting"].text.removeprefix("How many ").removesuffix(" are there in this image?")
    assert made["counting"].answer == {"dogs": "1", "cars": "1", "people": "3"}[noun]
    first = "dog" if "Is the dog" in made["spatial"].text else "car"
    assert made["spatial"].answer == {"dog": "left", "car": "right"}[first]
    assert made["attribute"].answer == "car" and set(made["attribute"].choices) == {"dog", "car"}
    assert made["description"].answer == ""


def test_above_and_below() -> None:
    above, below = Box("dog", 0, 0, 20, 20), Box("car", 10, 20, 20, 20)
    made = photo_questions(1, [above, below], CATEGORIES, 0)[2]
    assert made.answer == ("above" if made.text.startswith("Is the dog") else "below")


@pytest.mark.parametrize(
    ("boxes", "kind"),
    [
        ([DOG, Box("car", 10, 15, 20, 20)], "spatial"),  # overlapping in both directions
        ([DOG, DOG, CAR, CAR], "spatial"),  # which dog?
        ([DOG, Box("car", 50, 10, 20, 20)], "attribute"),  # of like size
        ([DOG, Box("car", 50, 10, 20, 20)], "identification"),
        ([Box("person", 0, 0, 90, 90, crowd=True)], "counting"),
        ([DOG] * 11, "counting"),
        ([], "identification"),
    ],
)
def test_what_boxes_do_not_say_has_no_answer(boxes: list[Box], kind: str) -> None:
    """The question is asked nonetheless, and captions alone score it."""
    made = {q.kind: q for q in photo_questions(1, boxes, CATEGORIES, 0)}
    assert list(made) == KINDS and made[kind].answer == "" and made[kind].text


def test_plurals() -> None:
    names = ("person", "wine glass", "knife", "mouse", "sheep", "skis", "bus", "couch", "toothbrush", "dog", "berry")
    plurals = ("people", "wine glasses", "knives", "mice", "sheep", "skis", "buses", "couches", "toothbrushes", "dogs")
    assert tuple(map(plural, names)) == (*plurals, "berries")
