"""Curation by rule: who wins, what is dropped and why, what is kept on disk, and that prompts and tokens are the same
in curation and in training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bifrons.pairs.homologous import CurationSettings, curate, in_turn, inputs_of, summary_of, with_questions
from bifrons.records import JudgeQuestion, homologous_pairs
from bifrons.scorers.judge import judge_images
from bifrons.scorers.verifier import SceneVerifier
from bifrons.sources import Question
from painter import EXAMPLES, INPUTS, SETTINGS, Painter, curator


def test_the_best_and_the_worst_win_and_lose() -> None:
    """Sample 0 is right and wins, sample 2 has most wrong and loses; every sample keeps tokens, score, scorer, seed."""
    records = curate(curator(Painter()))
    kept = [record for record in records if record.kept]
    assert len(kept) >= 6
    for record in kept:
        assert (record.chosen_caption, record.chosen_drawing) == (0, 0)
        assert record.rejected_drawing in (1, 2) and len(record.captions) == len(record.drawings) == 3
        assert record.drawings[0].score == 1.0
        assert record.captions[0].score == max(sample.score or 0.0 for sample in record.captions)
        assert [s.scorer for s in record.captions] == ["content_f1"] * 3
        assert [s.scorer for s in record.drawings] == ["verifier of scenes"] * 3
        assert len({s.seed for s in (*record.captions, *record.drawings)}) == 3
    assert summary_of(records)["kept"] == len(kept)
    assert len(kept) + sum(summary_of(records)["dropped"].values()) == len(INPUTS)


def test_prompts_of_curation_are_prompts_of_training() -> None:
    """What the model was asked for its samples is what its pairs are trained on, and so are the tokens."""
    model = Painter()
    understanding, generation = homologous_pairs(curate(curator(model)))
    asked = {text for text, _ in model.asked}
    assert {pair.question for pair in understanding} == {SETTINGS.question} <= asked
    assert {pair.prompt for pair in generation} <= asked
    for pair in understanding:
        assert pair.chosen_tokens == tuple(len(word) for word in pair.chosen.split())


def test_a_drawing_is_judged_by_its_own_questions() -> None:
    """A judge of all drawings one by one gives the scores that the records hold: no index slips."""
    records = curate(curator(Painter()))
    for record in records:
        pixels = Painter().decode([sample.tokens for sample in record.drawings])
        again = judge_images(SceneVerifier(), pixels, [record.questions] * len(pixels))
        assert [verdict.accuracy for verdict in again] == [sample.score for sample in record.drawings]


def test_what_the_judge_leans_to_is_reported() -> None:
    """Over all drawings that were judged: chance of yes/no questions, and the lean of a judge that always says yes."""

    class Yes(SceneVerifier):
        name = "yes"

        def reply(self, images: Sequence[Any], questions: Sequence[JudgeQuestion], report: Any = None) -> list[str]:
            return ["yes."] * len(questions)

    made = curator(Painter(), judge=Yes())
    curate(made)
    found = made.leaning
    assert found.num_questions == 12 * 3 * 6 and found.num_yes_no == 12 * 3 * 2
    assert (found.said_yes, found.expected_yes, found.yes_bias, found.chance) == (1.0, 0.5, 0.5, 0.5)


def test_the_order_of_inputs_changes_no_record() -> None:
    forward, backward = (curate(curator(Painter(), given)) for given in (INPUTS, INPUTS[::-1]))
    assert sorted(forward, key=lambda r: r.id) == sorted(backward, key=lambda r: r.id)


def test_noise_is_of_the_input_and_not_of_its_place() -> None:
    one, other = Painter(), Painter()
    curator(one).captions()
    curator(other, INPUTS[3:]).captions()
    assert one.items[0][3:] == other.items[0]


class Silent:
    """A judge that says nothing."""

    name = "silent"

    def reply(self, images: Sequence[Any], questions: Sequence[JudgeQuestion], report: Any = None) -> list[str]:
        return ["..."] * len(questions)


@pytest.mark.parametrize(
    ("cause", "model", "changes"),
    [
        ("image missing", Painter(), {"inputs": [replace(i, image=b"") for i in INPUTS]}),
        ("no questions", Painter(), {"inputs": [replace(i, questions=()) for i in INPUTS]}),
        ("fewer than two distinct captions", Painter(wrong=lambda place: 0), {}),
        ("the judge said nothing about any drawing", Painter(), {"judge": Silent()}),
        (
            "best drawing not above 0.99",
            Painter(wrong=lambda place: place + 1),
            {"settings": replace(SETTINGS, min_best=0.99)},
        ),
    ],
)
def test_what_is_dropped_is_counted_by_cause(cause: str, model: Painter, changes: dict[str, Any]) -> None:
    """Each bad input drops its records by name and trains on none of them."""
    records = curate(curator(model, **changes))
    counted = summary_of(records)
    assert counted["dropped"].get(cause, 0) > 0, counted
    assert counted["first_dropped"][cause][0] in {given.id for given in INPUTS}
    assert counted["kept"] + sum(counted["dropped"].values()) == len(INPUTS)
    assert {pair.id for pair in homologous_pairs(records)[0]} == {r.id for r in records if not r.dropped}


def test_duplicate_ids_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=f"'{INPUTS[2].id}' occurs twice"):
        curator(Painter(), [*INPUTS, INPUTS[2]])


def test_what_was_sampled_is_not_sampled_again(tmp_path: Path) -> None:
    """A second run asks nothing and gives the same records; more samples ask for the new ones alone."""
    first = Painter()
    records = curate(curator(first, folder=tmp_path))
    second = Painter()
    assert curate(curator(second, folder=tmp_path)) == records and not second.asked
    third = Painter()
    more = curate(curator(third, folder=tmp_path, settings=replace(SETTINGS, num_captions=4)))
    assert {seed % 1000 for _, seed in third.asked} == {3}
    assert [r.captions[:3] for r in more] == [r.captions for r in records]


def test_a_kill_costs_one_piece(tmp_path: Path) -> None:
    """A model that dies in the middle leaves pieces that the next run takes up; no half file is read."""

    class Dies(Painter):
        def draw(self, prompts: Sequence[str], sampling: Any, report: Any = None) -> Any:
            if sampling.seed % 1000 == 1:
                raise KeyboardInterrupt
            return super().draw(prompts, sampling, report)

    with pytest.raises(KeyboardInterrupt):
        curate(curator(Dies(), folder=tmp_path))
    model = Painter()
    assert curate(curator(model, folder=tmp_path)) == curate(curator(Painter()))
    assert {seed % 1000 for _, seed in model.asked} == {1, 2}


def test_pieces_of_other_weights_are_not_taken(tmp_path: Path) -> None:
    curate(curator(Painter(), folder=tmp_path))
    model = Painter()
    curate(curator(model, folder=tmp_path, revision="base+other"))
    assert model.asked


def test_questions_are_taken_in_turn_of_kind() -> None:
    """Six questions of the source without the description; of eight made, three of three kinds."""
    assert all(len(given.questions) == 6 for given in INPUTS)
    assert {q.kind for q in INPUTS[0].questions} == {"identification", "counting", "spatial", "attribute", "presence"}
    made = [JudgeQuestion(kind=kind, text=f"{kind} {i}", answer="x") for kind in "abcd" for i in range(2)]
    taken = in_turn(made, 3, [0])
    assert len({question.kind for question in taken}) == 3
    assert len(inputs_of(EXAMPLES[:1], questions="world", most=4)[0].questions) == 4


@pytest.mark.parametrize(
    ("setting", "value"), [("num_captions", 1), ("num_drawings", 0), ("min_best", 1.0), ("question", " ")]
)
def test_a_bad_setting_is_named(setting: str, value: Any) -> None:
    with pytest.raises(ValueError, match=setting):
        CurationSettings(**{setting: value})


def test_questions_of_a_file_meet_their_inputs_by_id() -> None:
    """DSG's questions all want a yes; an input that the file does not know is dropped and counted."""
    asked = {INPUTS[1].id: [Question("entity", "Is there a dog?", "yes.", ("yes", "no"))]}
    made = with_questions(INPUTS, asked)
    assert [bool(given.questions) for given in made] == [given.id in asked for given in INPUTS]
    assert made[1].questions[0].chance == 0.5 and made[1].questions[0].yes_no
    with pytest.raises(ValueError, match="about none of the 12 inputs"):
        with_questions(INPUTS, {"other": asked[INPUTS[1].id]})
