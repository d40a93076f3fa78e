"""What is read once for many rows, and rows that leave: nothing of it shows in the results."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tiny_janus import generation_pairs, make_model, understanding_pairs

from bifrons.models.janus import answering, drawing, forward
from bifrons.models.janus.decode import Body, Decoder
from bifrons.models.janus.model import JanusModel
from bifrons.protocol import Sampling

PAIRS = understanding_pairs(3)
WARM = Sampling(temperature=1.0, max_new_tokens=12, seed=3)


def test_questions_of_one_image_share_its_reading(model: JanusModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Images in turn, a question that comes twice: each answer is that of the question alone, and both images are read
    in one go.
    """
    images = [PAIRS[i].image for i in (0, 1, 0, 1, 0)]
    questions = [PAIRS[i].question for i in (0, 1, 2, 2, 0)]
    alone = [
        model.answer([image], [question], replace(WARM, items=(i,)))[0]
        for i, (image, question) in enumerate(zip(images, questions, strict=True))
    ]
    model.vision.forget()
    seen: list[int] = []
    compute = model.vision.compute
    monkeypatch.setattr(model.vision, "compute", lambda given: (seen.append(len(given)), compute(given))[1])
    assert model.answer(images, questions, WARM) == alone
    assert seen == [2]


def test_rows_leave_once_half_have_ended(model: JanusModel, monkeypatch: pytest.MonkeyPatch) -> None:
    images, questions = [PAIRS[0].image] * 12, [PAIRS[0].question] * 12
    made = model.answer(images, questions, replace(WARM, max_new_tokens=40))
    assert len({len(answer.tokens) for answer in made}) > 3, "rows end at several places"
    monkeypatch.setattr(answering, "LEAVE", 0.0)
    assert model.answer(images, questions, replace(WARM, max_new_tokens=40)) == made


def test_samples_of_one_prompt_share_its_reading(model: JanusModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four samples of two prompts of one length under guidance: three readings, and the drawings of each alone."""
    prompts = ["a red circle", "one blue square", "a red circle", "one blue square"]
    sampling = Sampling(temperature=1.0, guidance=3.0, seed=1)
    alone = [model.draw_codes([prompt], replace(sampling, items=(i,)))[0] for i, prompt in enumerate(prompts)]
    read: list[int] = []
    own = Decoder.read
    monkeypatch.setattr(Decoder, "read", lambda self, *given: (read.append(self.rows), own(self, *given))[1])
    assert model.draw_codes(prompts, sampling) == alone
    assert read == [3]


@torch.inference_mode()
def test_a_decoder_gives_the_plain_forwards_states(model: JanusModel) -> None:
    """A padded prompt, a second chunk, then tokens one by one: the states of transformers' forward over each row."""
    language_model = model.core.language_model
    body = Body(language_model, 2)
    generator = torch.Generator().manual_seed(0)
    rows = [torch.randn(n, 64, generator=generator) for n in (12, 9)]  # 9: 2 pads in the prompt, 1 in the chunk
    parts = [(rows[0][:6], rows[0][6:9]), (rows[1][:4], rows[1][4:6])]
    decoder = Decoder(body, 2, 20)
    for chunk in (0, 1):
        longest = max(len(part[chunk]) for part in parts)
        valid = torch.tensor([[False] * (longest - len(p[chunk])) + [True] * len(p[chunk]) for p in parts])
        padded = torch.stack([torch.cat((torch.zeros(longest - len(p[chunk]), 64), p[chunk])) for p in parts])
        states = decoder.read(padded, valid)
    order = torch.tensor([1, 0, 0])
    decoder, states = decoder.continued(order, 20), [states[order]]
    for step in range(3):
        states.append(decoder.step(torch.stack([rows[1][6 + step], rows[0][9 + step], rows[0][9 + step]])))
    for place, (row, first) in enumerate([(1, 6), (0, 9), (0, 9)]):
        plain = language_model(inputs_embeds=rows[row][None], use_cache=False).last_hidden_state[0, first - 1 :]
        torch.testing.assert_close(torch.stack(states)[:, place], plain, rtol=1e-5, atol=1e-5)


def test_a_small_codebook_is_looked_up(model: JanusModel, monkeypatch: pytest.MonkeyPatch) -> None:
    prompts = [pair.prompt for pair in generation_pairs(2)]
    tabled = model.draw_codes(prompts, WARM)
    monkeypatch.setattr(drawing, "MOST_TABLED", 0)
    assert model.draw_codes(prompts, WARM) == tabled


def test_the_last_layer_at_asked_positions_is_the_whole_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows with different numbers of predicted tokens, values and gradients; the other way is transformers' forward."""
    model = make_model()
    calls: list[int] = []
    own = forward.last_layer_at
    monkeypatch.setattr(forward, "last_layer_at", lambda *given: (calls.append(len(given[-1])), own(*given))[1])
    pairs = understanding_pairs(4)
    weight = model.core.language_model.layers[0].self_attn.q_proj.weight.requires_grad_(True)
    taken = []
    for most in (1.0, 0.0):
        monkeypatch.setattr(forward, "MOST_ASKED", most)
        weight.grad = None
        sums = model.log_probs(model.pack(pairs)).sums
        (sums * torch.linspace(-1, 1, sums.numel()).view_as(sums)).sum().backward()
        assert weight.grad is not None
        taken.append((sums.detach(), weight.grad.clone()))
    torch.testing.assert_close(taken[0][0], taken[1][0], rtol=1e-6, atol=1e-5)
    assert (taken[0][1] - taken[1][1]).norm() <= 1e-5 * taken[1][1].norm() and taken[1][1].norm() > 0
    assert len(calls) == 1 and 0 < calls[0] < model.pack(pairs).ids.numel(), "once, and not at every position"
