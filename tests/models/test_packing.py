"""Packed rows give the values and gradients of plain causal rows, each alone through transformers' own model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny_janus import (
    NUM_CODES,
    NUM_IMAGE_TOKENS,
    SETTINGS,
    generation_pairs,
    move_adapter,
    plain_sums,
    sums_of,
    understanding_pairs,
)
from torch import Tensor

from bifrons.models.janus.model import JanusModel
from bifrons.records import Pair

Make = Callable[[int], list[Any]]
BOTH = pytest.mark.parametrize("make", [understanding_pairs, generation_pairs], ids=["understanding", "generation"])


def oracle(model: JanusModel, pairs: list[Any]) -> Tensor:
    return torch.stack([plain_sums(model, pair) for pair in pairs])


def gradients(model: JanusModel, sums: Tensor) -> Tensor:
    """Over all that trains, of a loss in which every response counts differently; 0 where it does not reach."""
    parameters = [p.tensor for p in model.shared_parameters()] + [p for _, p in model.head_parameters()]
    coefficients = torch.linspace(-1, 1.3, sums.numel()).view_as(sums)
    taken = torch.autograd.grad((coefficients * sums).sum(), parameters, allow_unused=True)
    flat = [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, taken, strict=True)]
    return torch.cat([g.flatten() for g in flat])


def test_the_pairs_differ_in_length() -> None:
    """The parity tests below compare rows with padding: prefixes and responses are of several lengths in one batch."""
    pairs = understanding_pairs(5)
    assert len({len(p.question.split()) for p in pairs}) > 2
    assert len({len(text.split()) for p in pairs for text in (p.chosen, p.rejected)}) > 4
    assert len({len(p.prompt.split()) for p in generation_pairs(5)}) > 2


@BOTH
@pytest.mark.parametrize("adapted", [False, True], ids=["base", "adapter"])
def test_log_probs_are_those_of_plain_rows(model: JanusModel, make: Make, adapted: bool) -> None:
    """Five pairs packed together against log-softmax of transformers' own forward, one sequence at a time."""
    if adapted:
        model.add_adapter(SETTINGS)
        move_adapter(model)
    pairs = make(5)
    with torch.no_grad():
        torch.testing.assert_close(sums_of(model, pairs), oracle(model, pairs), rtol=1e-6, atol=1e-5)


@BOTH
def test_gradients_are_those_of_plain_rows(model: JanusModel, make: Make) -> None:
    """On every LoRA factor and on the head; B is random, else A's gradient would be zero whatever the rows."""
    model.add_adapter(SETTINGS)
    move_adapter(model)
    pairs = make(4)
    ours = gradients(model, model.log_probs(model.pack(pairs)).sums)
    plain = gradients(model, oracle(model, pairs))
    assert plain.norm() > 1
    assert (ours - plain).norm() <= 1e-5 * plain.norm()


@BOTH
def test_a_pair_alone_and_in_company(model: JanusModel, make: Make) -> None:
    """Neither the other pairs of a batch nor their order touches a pair's value."""
    pairs = make(4)
    together = sums_of(model, pairs)
    alone = torch.cat([sums_of(model, [pair]) for pair in pairs])
    torch.testing.assert_close(together, alone, rtol=1e-6, atol=1e-5)
    torch.testing.assert_close(together.flip(0), sums_of(model, pairs[::-1]), rtol=1e-6, atol=1e-5)


def test_losing_the_block_mask_changes_the_rejected_answer(model: JanusModel) -> None:
    """With a causal mask only, the rejected answer sees the chosen one: its value moves by far more than rounding, and
    so the parity tests above are able to fail. The chosen one, which comes first, does not move.
    """
    pairs = understanding_pairs(4)
    packed = model.pack(pairs)
    length = packed.ids.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool).tril().expand_as(packed.mask)
    with torch.no_grad():
        kept, lost = model.log_probs(packed).sums, model.log_probs(replace(packed, mask=causal.clone())).sums
    torch.testing.assert_close(lost[:, 0], kept[:, 0], rtol=1e-6, atol=1e-5)
    assert ((lost - kept)[:, 1].abs() > 1e-3).all()


def test_positions_start_again_after_the_prefix(model: JanusModel) -> None:
    """With positions that run on instead, the rejected answer's value moves: they are part of the parity too."""
    packed = model.pack(understanding_pairs(2))
    running = torch.arange(packed.ids.shape[1]).expand_as(packed.positions)
    with torch.no_grad():
        kept, lost = model.log_probs(packed).sums, model.log_probs(replace(packed, positions=running)).sums
    assert ((lost - kept)[:, 1].abs() > 1e-3).all()


def test_packed_rows_without_a_mask_are_refused(model: JanusModel) -> None:
    with pytest.raises(AssertionError, match="without their block mask"):
        replace(model.pack(understanding_pairs(1)), mask=None)


def test_the_image_matters(model: JanusModel) -> None:
    """The same question and answers about another image: other values, so the features do stand in the row."""
    first, second = understanding_pairs(2)
    other = replace(first, image=second.image)
    assert ((sums_of(model, [first]) - sums_of(model, [other])).abs() > 1e-3).all()


@BOTH
def test_counts_are_the_tokens_of_the_responses(model: JanusModel, make: Make) -> None:
    """An answer counts its words, its full stop and its end; a drawing its codes; `count_tokens` says the same."""
    pairs: list[Pair] = make(5)
    counts = model.log_probs(model.pack(pairs)).counts.tolist()
    for pair, (chosen, rejected) in zip(pairs, counts, strict=True):
        if make is understanding_pairs:
            assert (chosen, rejected) == tuple(len(text.split()) + 2 for text in (pair.chosen, pair.rejected))
        else:
            assert (chosen, rejected) == (NUM_IMAGE_TOKENS, NUM_IMAGE_TOKENS)
        assert model.count_tokens(pair) == (chosen, rejected)


def test_sampled_tokens_are_trained_and_not_their_text(model: JanusModel) -> None:
    """Where a pair has token ids, they and the end token are what is predicted; the text is not tokenised again."""
    pair = understanding_pairs(1)[0]
    tokens = (12, 4, 6, 12)  # with special ids, which no text would give back
    packed = model.pack([replace(pair, chosen_tokens=tokens)])
    assert packed.target[packed.sequence == 0].tolist() == [*tokens, model.prompts.eos_id]
    assert packed.target[packed.sequence == 1].tolist() == [
        *model.prompts.response(pair.rejected),
        model.prompts.eos_id,
    ]
    assert model.count_tokens(replace(pair, chosen_tokens=tokens))[0] == 5


@pytest.mark.parametrize("length", [NUM_IMAGE_TOKENS - 1, NUM_IMAGE_TOKENS + 1])
def test_a_drawing_of_another_length_is_refused(model: JanusModel, length: int) -> None:
    good = generation_pairs(1)[0]
    bad = replace(good, id="too odd", chosen_codes=(1,) * length, rejected_codes=(2,) * length)
    with pytest.raises(ValueError, match=f"generation pair 'too odd': .* has {NUM_IMAGE_TOKENS} codes"):
        model.pack([good, bad])


@pytest.mark.parametrize("code", [-1, NUM_CODES])
@pytest.mark.parametrize("side", ["chosen_codes", "rejected_codes"])
def test_a_code_outside_the_codebook_is_refused(model: JanusModel, code: int, side: str) -> None:
    good = generation_pairs(1)[0]
    bad = replace(good, id="too odd", **{side: (code, *getattr(good, side)[1:])})
    with pytest.raises(ValueError, match=f"generation pair 'too odd': .* codes below {NUM_CODES}"):
        model.pack([bad])


@BOTH
def test_values_in_bf16_are_near_those_in_fp32(make: Make, model: JanusModel) -> None:
    """The language model runs in the network's dtype, heads and sums in fp32: near, not equal, and of fp32."""
    from tiny_janus import make_model

    pairs = make(3)
    low = sums_of(make_model(torch.bfloat16), pairs)
    assert low.dtype == torch.float64
    difference = (low - sums_of(model, pairs)).abs().max()
    assert 1e-4 < difference < 6
