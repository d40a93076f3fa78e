"""The sampler: its schedule, its noise, guidance, and the published temperature."""

from __future__ import annotations

import math

import pytest
import torch
from tiny_showo import NUM_IMAGE_TOKENS, layout, make_model
from torch import Tensor

from bifrons.models.sampling import uniforms
from bifrons.models.showo.drawing import DrawingSettings, noise_left, refine
from bifrons.models.showo.model import ShowoModel
from bifrons.protocol import Sampling

PROMPTS = ["one", "there is one blue square right of it", "how many green in two"]


@pytest.fixture(scope="module")
def model() -> ShowoModel:
    return make_model()


def plain_drawing(model: ShowoModel, prompt: str, sampling: Sampling, settings: DrawingSettings) -> tuple[int, ...]:
    """The oracle: one item, full slots, both rows of guidance by the published formula, steps as the paper says."""
    ids, n = layout(), NUM_IMAGE_TOKENS
    noise = uniforms(sampling.seed, [0], 2 * settings.steps * n).view(settings.steps, 2, n)
    codes, g = [-1] * n, settings.guidance - 1
    temperature = heat = sampling.temperature
    for step in range(settings.steps):
        logits: list[Tensor] = []
        for text in (model.prompts.generation(prompt), model.prompts.unconditional):
            shown = [ids.mask if code < 0 else ids.first_code + code for code in codes]
            padding = ids.text_slots - len(text)
            row = [ids.pad] * padding + text + [ids.begin_image, *shown, ids.end_image]
            seen = torch.ones(len(row), len(row), dtype=torch.bool).tril()
            seen[ids.text_slots :] = True
            seen[padding:, :padding] = False
            added = torch.zeros(seen.shape).masked_fill(~seen, torch.finfo(torch.float32).min)
            with torch.no_grad():
                all_logits = model.network.showo(
                    input_ids=torch.tensor([row]), attention_mask=added[None, None], use_cache=False
                ).logits[0]
            logits.append(all_logits[ids.text_slots + 1 : -1, ids.first_code : ids.mask].double())
        log_p = ((1 + g) * logits[0] - g * logits[1]).div(temperature).log_softmax(dim=-1)
        ratio = (step + 1) / settings.steps
        heat = (heat if settings.compounding else temperature) * (1 - ratio)
        sure: list[float] = []
        hidden = sum(code < 0 for code in codes)
        for place in range(n):
            if codes[place] >= 0:
                sure.append(math.inf)
                continue
            total = log_p[place].exp().cumsum(dim=0)
            codes[place] = int((total < float(noise[step, 0, place]) * float(total[-1])).sum())
            sure.append(float(log_p[place, codes[place]]) - heat * math.log(-math.log(float(noise[step, 1, place]))))
        if step + 1 < settings.steps:
            again = max(1, min(hidden - 1, math.floor(n * math.cos(math.pi * ratio / 2))))
            for place in sorted(range(n), key=lambda place: sure[place])[:again]:
                codes[place] = -1
    return tuple(codes)


@pytest.mark.parametrize("compounding", [False, True])
def test_drawings_are_those_of_the_plain_procedure(compounding: bool) -> None:
    settings = DrawingSettings(steps=5, guidance=2.5, compounding=compounding)
    model = make_model(drawing=settings)
    sampling = Sampling(temperature=1.0, seed=3)
    assert model.draw_codes(PROMPTS[1:2], sampling)[0] == plain_drawing(model, PROMPTS[1], sampling, settings)


def test_the_published_noise_compounds() -> None:
    """Of 4 steps: 3/4, 1/2, 1/4 and 0 of it; and what is left when each step takes its share of the last one's."""
    linear, compounding = DrawingSettings(steps=4), DrawingSettings(steps=4, compounding=True)
    assert [noise_left(step, linear) for step in range(4)] == [0.75, 0.5, 0.25, 0]
    assert [noise_left(step, compounding) for step in range(4)] == [0.75, 0.375, 0.09375, 0]


def test_the_number_of_hidden_codes_follows_the_cosine() -> None:
    """16 codes in 4 steps: floor(16 cos(pi/8)), floor(16 cos(pi/4)), floor(16 cos(3 pi/8)), none; and where the steps
    are more than the codes, one fewer a step.
    """
    for steps, counts in ((4, [14, 11, 6, 0]), (40, [*range(15, 1, -1), *[1] * 25, 0])):
        codes = torch.full((16,), -1)
        settings = DrawingSettings(steps=steps)
        found: list[int] = []
        logits = torch.randn(16, 8, generator=torch.Generator().manual_seed(0))
        for step in range(steps):
            before = codes.clone()
            noise = uniforms(step, [0], 32).view(2, 16)
            codes = refine(logits, codes, 1.0, noise_left(step, settings), step, settings, noise)
            assert torch.equal(codes[before >= 0], before[before >= 0]), "a code that is kept is never drawn again"
            found.append(int((codes < 0).sum()))
        assert found == counts


def test_an_items_drawing_does_not_depend_on_its_batch(model: ShowoModel) -> None:
    sampling = Sampling(seed=5, items=(7, 8, 9))
    together = model.draw_codes(PROMPTS, sampling)
    alone = [model.draw_codes([prompt], Sampling(seed=5, items=(7 + i,)))[0] for i, prompt in enumerate(PROMPTS)]
    assert together == alone
    assert len({*model.draw_codes(PROMPTS[:1] * 3, sampling)}) == 3, "each item has noise of its own"


def test_guidance_is_the_checkpoints_own_unless_asked(model: ShowoModel) -> None:
    own = model.draw_codes(PROMPTS, Sampling(seed=1))
    assert model.draw_codes(PROMPTS, Sampling(seed=1, guidance=model.drawing.guidance)) == own
    assert model.draw_codes(PROMPTS, Sampling(seed=1, guidance=1.0)) != own


def test_bad_settings() -> None:
    with pytest.raises(ValueError, match="0 steps"):
        DrawingSettings(steps=0)
    with pytest.raises(ValueError, match=r"guidance is 0\.5"):
        DrawingSettings(guidance=0.5)
