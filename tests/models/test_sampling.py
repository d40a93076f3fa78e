"""Answers and drawings: transformers' own greedy ones, whatever the batch, and with noise that belongs to the item."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_janus import (
    BY_HAND,
    NUM_CODES,
    NUM_IMAGE_TOKENS,
    SETTINGS,
    draws_as_janus_does,
    generation_pairs,
    make_model,
    move_adapter,
    picture,
    plain_sums,
    sums_of,
    understanding_pairs,
)

from bifrons.models.janus import vision
from bifrons.models.janus.model import JanusModel
from bifrons.models.sampling import choose, uniforms
from bifrons.protocol import Answer, Sampling
from bifrons.records import GenerationPair, UnderstandingPair

PAIRS = understanding_pairs(6)
IMAGES, QUESTIONS = [pair.image for pair in PAIRS], [pair.question for pair in PAIRS]
PROMPTS = [pair.prompt for pair in generation_pairs(5)]
EQUAL_LENGTH = ["a red circle", "one blue square", "the green circle"]
GREEDY = Sampling(temperature=0.0, guidance=5.0, max_new_tokens=24)
WARM = Sampling(temperature=1.0, max_new_tokens=24, seed=3)


def codes(model: JanusModel, prompts: Sequence[str], sampling: Sampling) -> list[tuple[int, ...]]:
    return [drawing.codes for drawing in model.draw(prompts, sampling)]


def answers(model: JanusModel, sampling: Sampling) -> list[Answer]:
    return model.answer(IMAGES, QUESTIONS, sampling)


def generated_images(model: JanusModel, prompts: Sequence[str]) -> list[tuple[int, ...]]:
    """Codes from transformers' own loop."""
    messages = [[{"role": "user", "content": [{"type": "text", "text": prompt}]}] for prompt in prompts]
    text = [model.processor.apply_chat_template(message, add_generation_prompt=True) for message in messages]
    inputs = model.processor(text=text, generation_mode="image", padding=True, return_tensors="pt")
    made = model.network.generate(**inputs, generation_mode="image", do_sample=False, guidance_scale=5)
    return [tuple(row) for row in made.tolist()]


def generated_text(model: JanusModel, image: bytes, question: str, limit: int) -> list[int]:
    content = [{"type": "image"}, {"type": "text", "text": question}]
    text = model.processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    inputs = model.processor(text=text, images=Image.open(io.BytesIO(image)), return_tensors="pt")
    made = model.network.generate(**inputs, do_sample=False, max_new_tokens=limit)
    return made[0, inputs["input_ids"].shape[1] :].tolist()


@draws_as_janus_does
@pytest.mark.parametrize("prompts", [EQUAL_LENGTH, PROMPTS], ids=["equal lengths", "different lengths"])
@pytest.mark.parametrize("adapted", [False, True], ids=["base", "adapter"])
def test_greedy_drawings_are_those_of_transformers(model: JanusModel, prompts: list[str], adapted: bool) -> None:
    """Code by code, under guidance 5, for a whole batch."""
    if adapted:
        model.add_adapter(SETTINGS)
        move_adapter(model)
    ours = codes(model, prompts, GREEDY)
    assert ours == generated_images(model, prompts)
    assert len(set(ours)) == len(prompts)


@draws_as_janus_does
def test_greedy_drawings_one_at_a_time(model: JanusModel) -> None:
    """Left padding is no part of a drawing: alone, every prompt gives what it gave in the batch."""
    together = codes(model, PROMPTS, GREEDY)
    assert [generated_images(model, [prompt])[0] for prompt in PROMPTS] == together


def test_greedy_answers_are_those_of_transformers(model: JanusModel) -> None:
    """Token by token, up to the end token or the limit; the text is the tokens' own."""
    model.add_adapter(SETTINGS)
    move_adapter(model, 0.3)
    ours = answers(model, GREEDY)
    assert {answer.finished for answer in ours} == {True, False}, "both ways to end are seen"
    for answer, image, question in zip(ours, IMAGES, QUESTIONS, strict=True):
        theirs = generated_text(model, image, question, GREEDY.max_new_tokens)
        assert [*answer.tokens, *[model.prompts.eos_id] * answer.finished] == theirs
        assert answer.text == model.processor.tokenizer.decode(theirs, skip_special_tokens=True).strip()


@pytest.mark.parametrize("batch_size", [1, 2, 5])
@pytest.mark.parametrize("sampling", [GREEDY, WARM], ids=["greedy", "warm"])
def test_batch_size_changes_nothing(model: JanusModel, sampling: Sampling, batch_size: int) -> None:
    """In fp32, for prompts of different lengths: not in the answers and not in the drawings."""
    smaller = replace(sampling, batch_size=batch_size)
    assert answers(model, smaller) == answers(model, sampling)
    assert codes(model, PROMPTS, smaller) == codes(model, PROMPTS, sampling)


def test_the_seed_decides(model: JanusModel) -> None:
    """The same seed gives the same, from whatever state of torch's own generator; another one gives other results."""
    first_answers, first_codes = answers(model, WARM), codes(model, PROMPTS, WARM)
    torch.rand(7)
    assert answers(model, WARM) == first_answers
    assert codes(model, PROMPTS, WARM) == first_codes
    other = replace(WARM, seed=4)
    assert all(
        a.tokens != b.tokens for a, b in zip(answers(model, other), first_answers, strict=True) if len(a.tokens) > 2
    )
    assert all(a != b for a, b in zip(codes(model, PROMPTS, other), first_codes, strict=True))


def test_item_names_decide_the_noise(model: JanusModel) -> None:
    """A prompt under the same name gives the same drawing wherever it stands; under another name another one."""
    prompt = PROMPTS[0]
    same_name = codes(model, [prompt, prompt], replace(WARM, items=(9, 9)))
    assert same_name[0] == same_name[1]
    two_names = codes(model, [prompt, prompt], replace(WARM, items=(8, 9)))
    assert two_names[1] == same_name[0] != two_names[0]
    by_index = codes(model, [prompt, prompt], WARM)
    assert by_index == codes(model, [prompt, prompt], replace(WARM, items=(0, 1)))
    named = model.answer(IMAGES[:1] * 2, QUESTIONS[:1] * 2, replace(WARM, items=(9, 8)))
    assert named[::-1] == model.answer(IMAGES[:1] * 2, QUESTIONS[:1] * 2, replace(WARM, items=(8, 9)))
    assert named[0] != named[1]


def test_names_for_every_item_or_none(model: JanusModel) -> None:
    with pytest.raises(ValueError, match="sampling.items names 1 items for 5"):
        model.draw(PROMPTS, replace(WARM, items=(1,)))


def test_images_and_questions_go_together(model: JanusModel) -> None:
    with pytest.raises(ValueError, match="1 images for 2 questions"):
        model.answer(IMAGES[:1], QUESTIONS[:2], GREEDY)


def test_guidance_is_what_separates_the_two_rows(model: JanusModel) -> None:
    """Without guidance the first code is the largest logit of the plain conditional forward; with it, another model."""
    plain = codes(model, PROMPTS, replace(GREEDY, guidance=1.0))
    for prompt, drawing in zip(PROMPTS, plain, strict=True):
        ids = torch.tensor([model.prompts.generation(prompt)])
        with torch.no_grad():
            embeds = model.network.get_input_embeddings()(ids)
            hidden = model.network.model.language_model(inputs_embeds=embeds, use_cache=False).last_hidden_state
            assert drawing[0] == model.network.model.generation_head(hidden[:, -1]).argmax().item()
    assert plain != codes(model, PROMPTS, GREEDY)


def test_no_prompts_no_drawings(model: JanusModel) -> None:
    assert model.draw([], GREEDY) == []
    assert model.answer([], [], GREEDY) == []


def test_every_item_is_reported(model: JanusModel) -> None:
    seen: list[int] = []
    model.draw(PROMPTS, replace(GREEDY, batch_size=2), report=seen.append)
    assert seen == [2, 2, 1]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_base_answers_and_draws_in_its_own_dtype(dtype: torch.dtype) -> None:
    """Before any adapter is added: curation and the base's evaluation come first."""
    model = make_model(dtype)
    assert len(model.answer(IMAGES[:2], QUESTIONS[:2], WARM)) == 2
    assert [len(row) for row in codes(model, PROMPTS[:2], WARM)] == [NUM_IMAGE_TOKENS] * 2


def test_sampled_drawings_are_trained_code_by_code(model: JanusModel) -> None:
    """The codes of two drawings make a pair, and exactly they are predicted, each scored as transformers would."""
    chosen, rejected = (codes(model, PROMPTS[:1], replace(WARM, seed=seed))[0] for seed in (1, 2))
    pair = GenerationPair(id="g", prompt=PROMPTS[0], chosen_codes=chosen, rejected_codes=rejected, provenance=BY_HAND)
    packed = model.pack([pair])
    assert packed.target[packed.sequence == 0].tolist() == list(chosen)
    assert packed.target[packed.sequence == 1].tolist() == list(rejected)
    with torch.no_grad():
        torch.testing.assert_close(sums_of(model, [pair])[0], plain_sums(model, pair), rtol=1e-6, atol=1e-5)


def test_sampled_answers_are_trained_token_by_token(model: JanusModel) -> None:
    """Special tokens that were sampled are trained as well, though the text does not show them."""
    made = model.answer(IMAGES[:1] * 30, QUESTIONS[:1] * 30, WARM)
    special = set(model.processor.tokenizer.all_special_ids)
    first = next(answer for answer in made if special & set(answer.tokens) and answer.text)
    second = next(answer for answer in made if answer.text not in ("", first.text))
    assert model.prompts.response(first.text) != list(first.tokens)
    pair = UnderstandingPair(
        id="u",
        image=IMAGES[0],
        question=QUESTIONS[0],
        chosen=first.text,
        rejected=second.text,
        chosen_tokens=first.tokens,
        rejected_tokens=second.tokens,
        provenance=BY_HAND,
    )
    packed = model.pack([pair])
    assert packed.target[packed.sequence == 0].tolist() == [*first.tokens, model.prompts.eos_id]
    assert packed.target[packed.sequence == 1].tolist() == [*second.tokens, model.prompts.eos_id]


def test_sampling_follows_the_models_own_distribution(model: JanusModel) -> None:
    """The first token of many answers to one question: counts as the softmax of the plain forward says."""
    many = 400
    made = model.answer(
        IMAGES[:1] * many, QUESTIONS[:1] * many, Sampling(temperature=1.0, max_new_tokens=1, batch_size=200, seed=5)
    )
    firsts = [answer.tokens[0] if answer.tokens else model.prompts.eos_id for answer in made]
    ids = model.prompts.understanding(QUESTIONS[0])
    pixels = model.processor.image_processor(Image.open(io.BytesIO(IMAGES[0])), return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        logits = model.network(input_ids=torch.tensor([ids]), pixel_values=pixels, use_cache=False).logits[0, -1]
    expected = logits.double().softmax(dim=-1).numpy()
    seen = np.bincount(firsts, minlength=len(expected)) / many
    assert 0.5 * np.abs(seen - expected).sum() < 0.1


def distribution(logits: list[float]) -> Any:
    return torch.tensor([logits], dtype=torch.float32)


def test_a_token_is_the_inverse_of_the_distribution() -> None:
    """An even grid of uniforms meets every token as often as its probability says, to one part in the grid."""
    logits = distribution([0.3, -1.0, 2.0, float("-inf"), 0.0])
    grid = (torch.arange(10_000, dtype=torch.float64) + 0.5) / 10_000
    for temperature in (0.5, 1.0, 2.0):
        chosen = choose(logits.expand(10_000, -1), temperature, grid)
        expected = (logits[0].double() / temperature).softmax(dim=-1)
        assert (torch.bincount(chosen, minlength=5) / 10_000 - expected).abs().max() < 2e-4


@pytest.mark.parametrize("uniform", [0.0, 0.5, 1 - 2**-53])
def test_a_token_without_probability_is_never_chosen(uniform: float) -> None:
    """Not at the ends of the unit interval either."""
    only = distribution([float("-inf"), float("-inf"), 1.0, float("-inf")])
    assert choose(only, 1.0, torch.tensor([uniform], dtype=torch.float64)).tolist() == [2]


def test_noise_is_a_function_of_seed_item_and_position() -> None:
    """More positions and other items leave an item's numbers as they are."""
    few, many = uniforms(5, [3], 4), uniforms(5, [0, 3, 2**40], 9)
    assert torch.equal(few[0], many[1, :4])
    assert len(set(many.flatten().tolist())) == many.numel()
    assert not torch.equal(uniforms(6, [3], 4), few)
    assert uniforms(-1, [0], 3).shape == (1, 3)


def test_sampling_moves_nothing_that_training_reads(model: JanusModel) -> None:
    """After images were read together, gradients are bitwise those of a fresh model, which reads each alone."""
    fresh = make_model()
    taken: list[torch.Tensor] = []
    model.answer(IMAGES[:2], QUESTIONS[:2], GREEDY)
    for key in model.vision.kept:  # so small a model's last digits would not tell
        model.vision.kept[key] = torch.zeros_like(model.vision.kept[key])
    for each in (model, fresh):
        each.add_adapter(SETTINGS)
        move_adapter(each)
        each.log_probs(each.pack(PAIRS[:2])).sums.sum().backward()
        taken.append(
            torch.cat([p.tensor.grad.flatten() for p in each.shared_parameters() if p.tensor.grad is not None])
        )
    assert torch.equal(taken[0], taken[1]) and taken[0].norm() > 0


def test_features_are_computed_once(model: JanusModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same tensor for the same bytes, another one for other bytes, and no path is looked at."""
    first = model.vision.alone(picture(1))
    assert model.vision.alone(picture(1)) is first
    assert not torch.equal(model.vision.alone(picture(2)), first)
    assert torch.equal(model.vision.alone(Image.open(io.BytesIO(picture(1)))), first)
    both = model.vision.together([picture(1), picture(2)])
    torch.testing.assert_close(both, torch.cat([first, model.vision.alone(picture(2))]), rtol=1e-4, atol=1e-5)
    monkeypatch.setattr(model.core, "get_image_features", None)
    assert model.vision.alone(picture(1)) is first
    assert model.vision.together([picture(1), picture(2)]) is both


def test_a_full_cache_of_features_keeps_no_more(model: JanusModel, monkeypatch: pytest.MonkeyPatch) -> None:
    first = model.vision.alone(picture(1))
    monkeypatch.setattr(vision, "KEPT_BYTES", model.vision.bytes["alone"])
    second = model.vision.alone(picture(2))
    assert model.vision.alone(picture(1)) is first
    assert model.vision.alone(picture(2)) is not second and torch.equal(model.vision.alone(picture(2)), second)
    model.vision.together([picture(3)])
    assert model.vision.bytes["together"] == model.vision.bytes["alone"], "each kind has room of its own"


def test_codes_are_of_the_codebook(model: JanusModel) -> None:
    for row in codes(model, PROMPTS, WARM):
        assert len(row) == NUM_IMAGE_TOKENS and 0 <= min(row) <= max(row) < NUM_CODES
