"""A tiny Show-o that is taught two drawings and two answers gives them: estimator, masks, sampler and cache agree."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tiny_janus import understanding_pairs
from tiny_showo import generation_pairs, make_model

from bifrons.models.showo.estimator import MaskEstimator
from bifrons.protocol import Sampling


@pytest.mark.slow
def test_what_is_taught_is_said_and_drawn() -> None:
    """By the likelihood of the chosen responses, with other masks in every step; the sampler then starts from nothing
    but masks, and draws each of the two at a temperature and with guidance.
    """
    model = make_model()
    drawings, answers = generation_pairs(), understanding_pairs(2)
    trained = [p for name, p in model.network.named_parameters() if not name.startswith("tokenizer.")]
    for parameter in trained:
        parameter.requires_grad_(True)
        if parameter.dim() > 1:
            parameter.data.div_(6)  # as transformers draws them
    optimizer = torch.optim.Adam(trained, lr=6e-3)
    packed = model.pack(answers)
    for step in range(220):
        model.estimator = MaskEstimator(num_masks=2, seed=step)
        drawn, said = model.log_probs(model.pack(drawings)), model.log_probs(packed)
        loss = -(drawn.sums[:, 0].mean() / 16 + said.sums[:, 0].mean() / 8)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for parameter in trained:
        parameter.requires_grad_(False)
    prompts, sampling = [pair.prompt for pair in drawings], Sampling(temperature=0.5, seed=1)
    assert model.draw_codes(prompts, sampling) == [pair.chosen_codes for pair in drawings]
    said = model.answer([pair.image for pair in answers], [pair.question for pair in answers])
    assert [(answer.text, answer.finished) for answer in said] == [(pair.chosen, True) for pair in answers]
    taught = model.mask_estimates(model.pack(drawings)).mean(dim=-1)
    assert bool((taught[:, 0] > -4).all()) and bool((taught[:, 1] < -60).all()), "of 16 codes, and of the other side's"
    swapped = [replace(pair, prompt=other.prompt) for pair, other in zip(drawings, drawings[::-1], strict=True)]
    assert bool((model.mask_estimates(model.pack(swapped)).mean(dim=-1)[:, 0] < taught[:, 0] - 4).all())
