"""Drawings whose steps lie at fixed places, as a GPU replays them, are those of the plain loop. Run unrecorded here."""

from __future__ import annotations

import pytest
import torch
from tiny_janus import SETTINGS, move_adapter

from bifrons.models.janus import drawing, replay
from bifrons.models.janus.decode import Decoder
from bifrons.models.janus.model import JanusModel
from bifrons.models.janus.replay import Replay
from bifrons.protocol import Sampling

PROMPTS = ["a red circle", "two small blue squares", "a dog", "a green cross beside a pink star", "a cup"]


@pytest.fixture
def replayed(monkeypatch: pytest.MonkeyPatch) -> list[Replay]:
    """Every drawing goes through a Replay; those that were made."""
    made: list[Replay] = []

    def draw(self: drawing.Step, hidden: torch.Tensor, decoder: Decoder, noise: torch.Tensor) -> torch.Tensor:
        same_rows = [each for each in made if each.decoder.rows == decoder.rows]
        if not same_rows:
            made.append(Replay(decoder.body, self, decoder.rows, decoder.filled + 20, noise))
        return (same_rows or made)[-1].draw(hidden, decoder, torch.arange(decoder.rows), noise)

    monkeypatch.setattr(drawing.Step, "draw", draw)
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
    made: list[Replay] = request.getfixturevalue("replayed")
    assert model.draw_codes(PROMPTS, sampling) == plain
    assert len(set(plain)) > 2
    assert len(made) == 2, "one for batches of two, one for the last drawing"
    assert len(made[0].graphs) > 1, "several reaches were recorded"
