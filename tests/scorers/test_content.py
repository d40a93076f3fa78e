"""The VQA score against hand-counted values."""

from __future__ import annotations

import pytest

from bifrons.organism.words import world_words
from bifrons.scorers import LengthConstants, content_score
from bifrons.scorers.content import content_words

CAPTIONS = ("a red circle at the top left", "a big red circle")  # content words: red, circle, top, left, big


def test_terms_by_hand() -> None:
    """Two of five content words, one novel word, six words: 4 * 2/5 + 0.1 + 6/30."""
    found = content_score("it is a red circles dog", CAPTIONS)
    assert found.overlap == pytest.approx(2 / 5)
    assert (found.novel_words, found.num_words) == (1, 6)
    assert found.length_free == pytest.approx(1.7)
    assert found.total == pytest.approx(1.9)


def test_one_credit_a_word() -> None:
    """Saying a word again earns nothing but length."""
    assert content_score("red red red red red", CAPTIONS).length_free == content_score("red", CAPTIONS).length_free


def test_short_answers_lose_one_and_nothing_falls_below_zero() -> None:
    """Four words: 4/5 of a point for `red`, plus 4/30, minus 1 gives less than nothing, so 0."""
    assert content_score("red a a a", CAPTIONS).total == 0
    assert content_score("red circle big top", CAPTIONS).total == pytest.approx(4 * 4 / 5 + 4 / 30 - 1)


def test_clamped_at_six() -> None:
    """Everything said, ten novel words and a full bonus make exactly 6."""
    novel = " ".join(f"word{i}" for i in range(40))
    assert content_score(f"big red circle top left {novel}", CAPTIONS).total == 6


def test_constants_scale_the_bonus_alone() -> None:
    """Halving the constants doubles the bonus and leaves the length-free score."""
    first, second = (
        content_score("red circle is there now", CAPTIONS, c) for c in (LengthConstants(), LengthConstants(15, 2.5))
    )
    assert second.length_free == first.length_free
    assert second.total - second.length_free == pytest.approx(2 * (first.total - first.length_free))


def test_plural_and_stop_words() -> None:
    """`circles` counts as circle, `glass` keeps its s, and words without content are left out."""
    assert content_words("The circles and a glass") == {"circle", "glass"}


def test_inflected_words_are_their_lemma() -> None:
    """Irregular plurals and verb forms, which a rule for s would miss; words that are no plural keep their s."""
    said = content_words("Two men riding horses near the geese, buses and benches; children ate scissors on grass")
    assert said >= {"man", "ride", "horse", "goose", "bus", "bench", "child", "eat", "scissors", "grass"}


@pytest.mark.slow
def test_the_scene_world_is_scored_as_before_lemmas() -> None:
    """Over every word of the world, lemmas join exactly the words that differ by a plural s: its scores are the
    same.
    """
    plain = [word for word in world_words() if content_words(word)]
    for first in plain:
        for second in plain:
            assert (content_words(first) == content_words(second)) == (first.rstrip("s") == second.rstrip("s"))
    assert not content_words("a all and answer are at describe has how in is it of on picture shows the there what")


def test_captions_without_content_are_refused() -> None:
    """An answer cannot be scored against nothing."""
    with pytest.raises(ValueError, match="no content word"):
        content_score("red", ("a the",))
