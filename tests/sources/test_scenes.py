"""Examples of the scene world: reproducible, different, and never shared between splits."""

from __future__ import annotations

import pytest

from bifrons.scenes import QUESTION_KINDS
from bifrons.sources import refuse_overlap, scene_examples


def test_examples_are_a_function_of_split_count_and_seed() -> None:
    """The same arguments give the same records, and a longer list starts with the shorter one."""
    assert scene_examples("pairs", 20, 3) == scene_examples("pairs", 20, 3)
    assert scene_examples("pairs", 30, 3)[:20] == scene_examples("pairs", 20, 3)
    assert scene_examples("pairs", 20, 4) != scene_examples("pairs", 20, 3)


def test_every_example_has_all_questions_and_balanced_presence() -> None:
    """One question of each kind; one presence question with yes and one with no."""
    for example in scene_examples("evaluation", 20, 0):
        assert [q.kind for q in example.questions] == list(QUESTION_KINDS)
        assert [q.answer for q in example.presence] == ["yes.", "no."]
        assert len(set(example.captions)) == 5


def test_splits_share_no_image_and_no_prompt() -> None:
    """200 evaluation examples against 400 training examples: no content hash in common; a copied one is refused by
    name.
    """
    training = {key: e.id for e in scene_examples("pairs", 400, 0) for key in e.context_keys}
    evaluation = scene_examples("evaluation", 200, 0)
    refuse_overlap(training, evaluation)
    training[evaluation[7].context_keys[1]] = "pair-13"
    with pytest.raises(ValueError, match=f"{evaluation[7].id} shares .* pair-13"):
        refuse_overlap(training, evaluation)
