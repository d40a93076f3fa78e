"""Drawings whose steps lie at fixed places, as a GPU replays them, are those of the plain loop. Run unrecorded here."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny_janus import SETTINGS, move_adapter, understanding_pairs
from torch import Tensor

from bifrons.models.janus import answering, drawing, replay
from bifrons.models.janus.decode import Body, Decoder
from bifrons.models.janus.model import JanusModel
from bifrons.models.janus.replay import Replays
from bifrons.protocol import Sampling

PROMPTS = ["a red circle", "two small blue squares", "a dog", "a green cross beside a pink star", "a cup"]


@pytest.fixture
def replayed(monkeypatch: pytest.MonkeyPatch) -> list[Replays]:
    """Every drawing and answer goes through recorded steps, as on a GPU; those that were made."""
    made: list[Replays] = []

    def walk(step: Any, hidden: Tensor, decoder: Decoder, noise: Tensor, end: int | None = None) -> Tensor:
        if not made:
            made.append(Replays(decoder.body, step))
        every = torch.arange(decoder.rows)
        ended = None if end is None else lambda tokens: bool((tokens == end).any(dim=1).all())
        return made[0].walk(hidden, decoder, every, noise, ended)

    monkeypatch.setattr(drawing.CodeStep, "draw", walk)
    monkeypatch.setattr(answering.WordStep, "answer", walk)
    monkeypatch.setattr(replay, "REACH", 8)
    return made


@pytest.mark.parametrize("guidance", [1.0, 3.0])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("trained", [False, True], ids=["base", "LoRA"])
def test_the_same_codes(
    model: JanusModel, guidance: float, temperature: float, trained: bool, request: pytest.FixtureRequest
) -> None:
    """Prompts of several lengths, padded, in three batches: two share one Replay, and the last has fewer rows."""
    if trained:
        model.add_adapter(SETTINGS)
        move_adapter(model)
    sampling = Sampling(temperature=temperature, guidance=guidance, batch_size=2, seed=4)
    plain = model.draw_codes(PROMPTS, sampling)
    made: list[Replays] = request.getfixturevalue("replayed")
    assert model.draw_codes(PROMPTS, sampling) == plain
    assert len(set(plain)) > 2
    assert sorted(made[0].made) == [1, 2], "one for batches of two, one for the last drawing"
    assert len(made[0].made[2].graphs) > 1, "several reaches were recorded"


@pytest.mark.parametrize("limit", [1, 12, 60])
def test_the_same_answers(model: JanusModel, limit: int, request: pytest.FixtureRequest) -> None:
    """Answers that end at several places; the walk stops soon after the last one."""
    pairs = understanding_pairs(3)
    images, questions = [pair.image for pair in pairs], [pair.question for pair in pairs]
    sampling = Sampling(temperature=1.0, max_new_tokens=limit, batch_size=3, seed=5)
    plain = model.answer(images * 2, questions * 2, sampling)
    made: list[Replays] = request.getfixturevalue("replayed")
    assert model.answer(images * 2, questions * 2, sampling) == plain
    assert made[0].made
    if limit == 60:
        assert any(answer.finished for answer in plain) and len({len(answer.tokens) for answer in plain}) > 2


def test_a_walk_stops_soon_after_all_have_ended(model: JanusModel, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[int] = []
    own = Decoder.step_at
    monkeypatch.setattr(Decoder, "step_at", lambda self, *given: (steps.append(given[2]), own(self, *given))[1])
    body = Body(model.core.language_model, 2)
    reader = Decoder(body, 2, 3)

    class Ends:
        def choose(self, hidden: Tensor, noise: Tensor) -> Tensor:
            return torch.full((2,), 7)

        def embed(self, tokens: Tensor) -> Tensor:
            return body.embed(tokens)

    with torch.inference_mode():
        hidden = reader.read(body.embed(torch.ones(2, 3, dtype=torch.long)), torch.ones(2, 3, dtype=torch.bool))
        walk = Replays(body, Ends()).walk(
            hidden, reader, torch.arange(2), torch.zeros(2, 40), lambda t: bool((t == 7).all())
        )
    assert len(steps) == replay.ASKED
    assert walk[:, : replay.ASKED].eq(7).all() and walk[:, replay.ASKED :].eq(0).all()
