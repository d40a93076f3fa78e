"""KL(policy || reference), teacher-forced: against the sum over the vocabulary written out, one sequence at a time."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny_janus import SETTINGS, generation_pairs, move_adapter, plain_logits, understanding_pairs
from torch import Tensor

from bifrons.models.divergence import kl_of_heads
from bifrons.models.janus.model import JanusModel


def written_out(model: JanusModel, pair: Any, side: str) -> float:
    """transformers' own forward with and without the adapter, in float64."""
    policy = plain_logits(model, pair, side)[0].double().softmax(dim=-1)
    with model.base_only():
        reference = plain_logits(model, pair, side)[0].double().softmax(dim=-1)
    return sum(float(p * (p / q).log()) for p, q in zip(policy.flatten(), reference.flatten(), strict=True))


@pytest.mark.parametrize("pairs", [understanding_pairs(2), generation_pairs(2)], ids=["understanding", "generation"])
def test_equals_the_sum_over_the_vocabulary(model: JanusModel, pairs: list[Any]) -> None:
    """For a moved adapter with its head, of chosen and of rejected, in one packing."""
    model.add_adapter(SETTINGS)
    move_adapter(model)
    with torch.no_grad():
        expected = [[written_out(model, pair, side) for side in ("chosen", "rejected")] for pair in pairs]
    found = model.token_kl(model.pack(pairs))
    assert found.sums.tolist() == [pytest.approx(row, rel=1e-3) for row in expected]
    assert min(min(row) for row in expected) > 1e-3
    assert found.counts.tolist() == [list(model.count_tokens(pair)) for pair in pairs]


def test_a_fresh_adapter_and_none_have_no_divergence(model: JanusModel) -> None:
    """To the last bit: policy and reference are the same arithmetic."""
    for pairs in (understanding_pairs(2), generation_pairs(2)):
        assert model.token_kl(model.pack(pairs)).sums.abs().max() == 0
    model.add_adapter(SETTINGS)
    for pairs in (understanding_pairs(2), generation_pairs(2)):
        assert model.token_kl(model.pack(pairs)).sums.abs().max() <= 1e-6


def test_chunks_change_nothing(model: JanusModel) -> None:
    """One position at a time, seven, or all at once; a distribution from itself has none."""
    generator = torch.Generator().manual_seed(0)
    policy, reference = torch.randn(2, 20, 8, generator=generator)

    def head(hidden: Tensor) -> Tensor:
        return 3 * hidden

    whole = kl_of_heads(head, model.base_only, policy, reference)
    for positions in (1, 7):
        assert torch.allclose(kl_of_heads(head, model.base_only, policy, reference, positions), whole, atol=1e-6)
    assert bool((whole > 0).all()) and kl_of_heads(head, model.base_only, policy, policy).abs().max() == 0
