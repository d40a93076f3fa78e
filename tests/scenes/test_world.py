"""Scenes are drawn from seeds, belong to one split each, and are read back from their picture exactly."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from bifrons.scenes import IMAGE_SIZE, Object, Scene, draw_scene, read, read_many, render
from bifrons.scenes.world import BACKGROUNDS, COLOURS, OBJECT_COUNT_SHARES, PLACES, SHAPES, SIZES

NUM_SCENES = 2000
SPLITS = ("train", "pairs", "validation", "evaluation")


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    rng = np.random.default_rng(0)
    return [draw_scene(rng) for _ in range(NUM_SCENES)]


def test_clean_renders_are_read_exactly(scenes: list[Scene]) -> None:
    """Of 2,000 scenes all but one in 200 at the most; a reading carries its residual, which is rounding alone."""
    readings = [one for i in range(0, NUM_SCENES, 100) for one in read_many(stack(scenes[i : i + 100]))]
    right = sum(
        reading.scene == scene and not reading.unreadable for reading, scene in zip(readings, scenes, strict=True)
    )
    assert right >= 0.995 * NUM_SCENES
    assert max(reading.residual for reading in readings) < 0.5


def test_every_content_of_every_place_is_read_exactly() -> None:
    """All 3 x 4 x 3 x 6 x 2 scenes of one object, so that no template is another's double."""
    all_of_them = [
        Scene(background, (Object(place=place, shape=shape, colour=colour, size=size),))
        for background in BACKGROUNDS
        for place in PLACES
        for shape in SHAPES
        for colour in COLOURS
        for size in SIZES
    ]
    assert [reading.scene for reading in read_many(stack(all_of_them))] == all_of_them


def stack(scenes: list[Scene]) -> np.ndarray:
    return np.stack([render(scene) for scene in scenes])


@pytest.mark.parametrize("strength", [5.0, 15.0])
def test_slight_noise_does_not_change_the_reading(scenes: list[Scene], strength: float) -> None:
    """A drawing is never a clean render: noise of some grey levels is read through, and shows in the residual."""
    rng = np.random.default_rng(1)
    noisy = stack(scenes[:200]) + rng.normal(0, strength, (200, IMAGE_SIZE, IMAGE_SIZE, 3))
    readings = read_many(np.clip(np.rint(noisy), 0, 255).astype(np.uint8))
    right = sum(reading.scene == scene for reading, scene in zip(readings, scenes[:200], strict=True))
    assert right >= 199
    assert all(not reading.unreadable for reading in readings)
    assert 0.6 * strength < np.mean([reading.residual for reading in readings]) < 1.1 * strength


def test_noise_images_are_unreadable() -> None:
    """A picture of nothing is not read as a scene: every place of every noise picture is reported."""
    rng = np.random.default_rng(2)
    noise = rng.integers(0, 256, (50, IMAGE_SIZE, IMAGE_SIZE, 3), dtype=np.uint8)
    for reading in read_many(noise):
        assert reading.unreadable == PLACES
        assert reading.scene.objects == ()
        assert reading.residual > 45


def test_one_spoilt_place_is_reported_and_the_others_are_read() -> None:
    scene = Scene(
        "white", (Object("top left", "circle", "red", "big"), Object("bottom right", "square", "blue", "small"))
    )
    picture = render(scene)
    picture[16:, 16:] = np.random.default_rng(3).integers(0, 256, (16, 16, 3))
    reading = read(picture)
    assert reading.unreadable == ("bottom right",)
    assert reading.scene.objects == scene.objects[1:]
    assert scene.objects[1].place == "top left"


def test_reading_one_or_many_is_the_same(scenes: list[Scene]) -> None:
    pictures = stack(scenes[:5])
    assert read_many(pictures) == [read(picture) for picture in pictures]
    assert read_many(pictures[:0]) == []


@pytest.mark.parametrize("shape", [(1, 16, 16, 3), (1, 32, 32, 4), (32, 32, 3), (1, 3, 32, 32)])
def test_pictures_of_another_size_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="takes pictures of 32 x 32 x 3"):
        read_many(np.zeros(shape, dtype=np.uint8))


def test_a_seed_gives_its_scenes_again(scenes: list[Scene]) -> None:
    """And the first of seed 0 is this one: data sets that were made from seeds stay what they were."""
    rng = np.random.default_rng(0)
    assert [draw_scene(rng) for _ in range(20)] == scenes[:20]
    assert scenes[0].key == "black|bottom left,circle,purple,big|bottom right,circle,red,small"


def test_all_contents_are_drawn_evenly(scenes: list[Scene]) -> None:
    """Every attribute within five standard errors of its share."""
    counts = Counter(len(scene.objects) for scene in scenes)
    objects = [thing for scene in scenes for thing in scene.objects]
    assert len({thing.place for scene in scenes[:200] for thing in scene.objects}) == len(PLACES)
    for count, share in enumerate(OBJECT_COUNT_SHARES, start=1):
        assert_share(counts[count], NUM_SCENES, share)
    assert_even(Counter(scene.background for scene in scenes), list(BACKGROUNDS), NUM_SCENES)
    assert_even(Counter(thing.place for thing in objects), list(PLACES), len(objects))
    assert_even(Counter(thing.shape for thing in objects), list(SHAPES), len(objects))
    assert_even(Counter(thing.colour for thing in objects), list(COLOURS), len(objects))
    assert_even(Counter(thing.size for thing in objects), list(SIZES), len(objects))


def assert_share(count: int, total: int, share: float) -> None:
    assert abs(count / total - share) < 5 * (share * (1 - share) / total) ** 0.5


def assert_even(counts: Counter[str], kinds: list[str], total: int) -> None:
    assert counts.keys() == set(kinds)
    for kind in kinds:
        assert_share(counts[kind], total, 1 / len(kinds))


def test_no_two_objects_share_a_place(scenes: list[Scene]) -> None:
    assert all(len({thing.place for thing in scene.objects}) == len(scene.objects) for scene in scenes)


def test_scenes_of_the_same_content_are_equal() -> None:
    first, second = Object("top left", "circle", "red", "big"), Object("top right", "square", "blue", "small")
    assert Scene("white", (first, second)) == Scene("white", (second, first))
    assert hash(Scene("white", (first, second))) == hash(Scene("white", (second, first)))
    assert Scene("white", (first, second)).key == Scene("white", (second, first)).key


def test_splits_share_no_scene_and_no_picture() -> None:
    """The split is a function of the content, so scenes drawn for two splits cannot meet, whatever the seeds."""
    drawn = {}
    for split in SPLITS:
        rng = np.random.default_rng(7)  # the same seed for all, which is the worst case
        drawn[split] = [draw_scene(rng, split) for _ in range(150)]
        assert {scene.split for scene in drawn[split]} == {split}
    keys = {split: {scene.key for scene in scenes} for split, scenes in drawn.items()}
    pictures = {split: {render(scene).tobytes() for scene in scenes} for split, scenes in drawn.items()}
    for i, one in enumerate(SPLITS):
        for other in SPLITS[i + 1 :]:
            assert not keys[one] & keys[other]
            assert not pictures[one] & pictures[other]


def test_splits_have_their_shares(scenes: list[Scene]) -> None:
    unique = {scene.key: scene.split for scene in scenes}
    counts = Counter(unique.values())
    for split, share in zip(SPLITS, (192 / 256, 32 / 256, 16 / 256, 16 / 256), strict=True):
        assert_share(counts[split], len(unique), share)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_the_number_of_objects_can_be_asked_for(count: int) -> None:
    rng = np.random.default_rng(0)
    assert {len(draw_scene(rng, num_objects=count).objects) for _ in range(20)} == {count}
