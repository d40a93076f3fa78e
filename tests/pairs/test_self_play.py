"""Eq. 10 on every order of the three scores, rescoring by one judge, and rounds that have no predecessor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from bifrons.pairs.homologous import curate
from bifrons.pairs.self_play import meet, play
from bifrons.records import JudgeQuestion, Sample, homologous_pairs
from bifrons.scorers.verifier import SceneVerifier
from painter import INPUTS, Painter, curator


def sample(score: float | None, name: str) -> Sample:
    return Sample(tokens=(1,), text=name, score=score)


@pytest.mark.parametrize(
    ("new", "winner", "loser", "chosen", "rejected"),
    [
        ((0.9, 0.1), 0.5, 0.2, "new 0", "winner"),  # above the old winner: it becomes the rejected one
        ((0.1, 0.4), 0.5, 0.2, "new 1", "loser"),  # between: the old loser stays
        ((0.5, 0.3), 0.5, 0.2, "new 0", "loser"),  # equal to the winner is not above it
        ((0.9, 0.9), 0.2, 0.5, "new 0", "winner"),  # after rescoring the old pair may stand upside down
    ],
)
def test_equation_10(new: tuple[float, float], winner: float, loser: float, chosen: str, rejected: str) -> None:
    samples, (first, second), reason = meet(
        [sample(score, f"new {i}") for i, score in enumerate(new)],
        (sample(winner, "winner"), sample(loser, "loser")),
        "caption",
        0.0,
    )
    assert not reason
    assert (samples[first].text, samples[second].text) == (chosen, rejected)
    assert samples[first].score > samples[second].score  # type: ignore[operator]


@pytest.mark.parametrize(
    ("new", "winner", "loser", "reason"),
    [
        ((0.1, 0.2), 0.5, 0.2, "no new drawing scores above the old loser"),
        ((0.1, 0.3), 0.2, 0.4, "best drawing not above 0.6"),  # above the rescored winner, below the bar
        ((None, None), 0.5, 0.2, "the judge said nothing about any drawing"),
        ((0.9, 0.1), None, 0.2, "an old drawing can no longer be judged"),
    ],
)
def test_chosen_above_rejected_or_dropped(new: Any, winner: Any, loser: Any, reason: str) -> None:
    """A pair that does not stand in order is dropped with its reason."""
    made = [sample(score, f"new {i}") for i, score in enumerate(new)]
    _, _, said = meet(made, (sample(winner, "winner"), sample(loser, "loser")), "drawing", 0.6)
    assert said == reason


class Stern(SceneVerifier):
    """The verifier, but every second question is answered with the contrary of nothing: another scale of scores."""

    name = "stern"

    def reply(self, images: Sequence[Any], questions: Sequence[JudgeQuestion], report: Any = None) -> list[str]:
        said = super().reply(images, questions, report)
        return ["nothing" if q.kind in ("attribute", "spatial") else s for q, s in zip(questions, said, strict=True)]


def test_old_and_new_are_scored_by_the_same_judge() -> None:
    """With another judge in the second round, no score of the first judge takes part."""
    first = curate(curator(Painter()))
    second = play(curator(Painter(), round_number=2, judge=Stern()), first)
    for record in second:
        if record.kept or record.drawings:
            assert {s.scorer for s in record.drawings} == {"stern"}
            old = record.drawings[-2:]
            assert all(s.round == 1 for s in old) and all(s.round == 2 for s in record.drawings[:-2])


def test_a_better_model_beats_the_old_winner() -> None:
    """A first round that is never right, then one that is: the new best is chosen, the old winner rejected."""
    first = curate(curator(Painter(wrong=lambda place: place + 1)))
    second = play(curator(Painter(wrong=lambda place: 0), round_number=2), first)
    kept = [record for record in second if record.kept]
    assert kept
    for record in kept:
        chosen, rejected = record.standing("drawings")  # type: ignore[misc]
        assert chosen.round == 2 and rejected.round == 1 and chosen.score == 1.0
    understanding, generation = homologous_pairs(second)
    assert [p.id for p in understanding] == [p.id for p in generation]


def test_a_worse_model_trains_on_nothing_and_keeps_what_stood() -> None:
    first = curate(curator(Painter(wrong=lambda place: min(place, 1))))
    second = play(curator(Painter(wrong=lambda place: 3), round_number=2), first)
    assert not [record for record in second if record.kept and record.standing("drawings")[0].round == 1]  # type: ignore[index]
    for old, new in zip(first, second, strict=True):
        if old.kept and new.dropped.startswith("no new drawing"):
            before, after = old.standing("drawings"), new.standing("drawings")
            assert [s.tokens for s in before or ()] == [s.tokens for s in after or ()]


FIRST = curate(curator(Painter()))


@pytest.mark.parametrize(
    ("previous", "changes", "message"),
    [
        ([], {}, "round 2 has no round before it"),
        (FIRST[1:], {}, f"round 2: record '{INPUTS[0].id}' is not among those of the round before"),
        (FIRST, {"round_number": 3}, "round 3 follows round 2, not"),
        (FIRST, {"revision": "another"}, f"round 2: record '{FIRST[0].id}' of the round before is of another model"),
        ([replace(r, round=4) for r in FIRST], {}, "round 2 follows round 1, not"),
    ],
)
def test_a_round_without_its_predecessor_is_refused_by_name(
    previous: Any, changes: dict[str, Any], message: str
) -> None:
    model = Painter()
    with pytest.raises(ValueError, match=message):
        play(curator(model, **{"round_number": 2, **changes}), previous)
    assert not model.asked, "nothing is sampled for a round that cannot be"
