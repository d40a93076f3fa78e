"""Gradients of batches against autograd on the plain loss; resumption; the order of pairs."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_janus import SETTINGS, generation_pairs, make_model, move_adapter, understanding_pairs

from bifrons.diagnostics import diagnose_gradients
from bifrons.diagnostics.gradients import order
from bifrons.models.janus.model import JanusModel

U, G = understanding_pairs(3), generation_pairs(3)
BETA = 0.3


def plain_gradient(model: JanusModel, pair: Any) -> torch.Tensor:
    """The gradient of -log sigmoid(beta * margin) at margin 0 is -beta / 2 times that of the margin."""
    sums = model.log_probs(model.pack([pair])).sums[0]
    tensors = [p.tensor for p in model.shared_parameters()]
    found = torch.autograd.grad(-BETA / 2 * (sums[0] - sums[1]), tensors, allow_unused=True)
    return torch.cat(
        [torch.zeros_like(t).flatten() if g is None else g.flatten() for t, g in zip(tensors, found, strict=True)]
    )


def test_gramians_are_those_of_the_dpo_gradients(adapted: JanusModel) -> None:
    """Totals, layers and the products with the batch before, and the model is left as it was."""
    before = [p.tensor.detach().clone() for p in adapted.shared_parameters()]
    found = diagnose_gradients(adapted, U, G, batches=3, beta=BETA)
    assert [batch.batch for batch in found] == [0, 1, 2]
    own = [
        [plain_gradient(adapted, pairs[int(b.records[i][3:])]).double() for b in found]
        for i, pairs in enumerate((U, G))
    ]
    for i, batch in enumerate(found):
        u, g = own[0][i], own[1][i]
        assert batch.total.uu == pytest.approx(float(u @ u), rel=1e-5)
        assert batch.total.ug == pytest.approx(float(u @ g), rel=1e-3, abs=1e-6 * float(u.norm() * g.norm()))
        assert batch.total.gg == pytest.approx(float(g @ g), rel=1e-5)
        assert sum(layer.uu for layer in batch.layers) == pytest.approx(batch.total.uu)
        assert batch.tokens == (sum(adapted.count_tokens(U[int(batch.records[0][3:])])) / 2, 64.0)
        assert batch.largest_a == 0.0, "B = 0, so no gradient reaches A"
    assert found[0].understanding is None and found[0].generation is None
    for task, rows in (("understanding", own[0]), ("generation", own[1])):
        seen = getattr(found[2], task)
        assert seen.total.ug == pytest.approx(float(rows[1] @ rows[2]), rel=1e-3, abs=1e-6 * float(rows[1].norm() ** 2))
        assert len(seen.layers) == 2
    assert all(torch.equal(a, p.tensor) for a, p in zip(before, adapted.shared_parameters(), strict=True))
    assert all(p.tensor.grad is None for p in adapted.shared_parameters())
    assert all(p.grad is None for _, p in adapted.head_parameters())


def test_going_on_equals_running_through(adapted: JanusModel) -> None:
    """Stopped after any batch, the rest is the same to the last bit, the product across the stop included."""
    whole = diagnose_gradients(adapted, U, G, batches=4)
    told: list[int] = []
    rest = diagnose_gradients(adapted, U, G, batches=4, done=whole[:2], on_batch=lambda b: told.append(b.batch))
    assert rest == whole and told == [2, 3]
    assert diagnose_gradients(adapted, U, G, batches=2, done=whole) == whole[:2]


def test_an_adapter_that_was_trained_shows_in_the_gradient_of_a() -> None:
    """The check is able to fail: with B away from 0 a gradient reaches A."""
    model = make_model()
    model.add_adapter(SETTINGS)
    move_adapter(model)
    assert (diagnose_gradients(model, U, G, batches=1)[0].largest_a or 0) > 0


def test_bad_input_is_named(adapted: JanusModel) -> None:
    with pytest.raises(ValueError, match="generation pairs, and there are none"):
        diagnose_gradients(adapted, U, [])
    with pytest.raises(ValueError, match="batches is 0"):
        diagnose_gradients(adapted, U, G, batches=0)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.integers(1, 9), st.integers(1, 40), st.integers(0, 5))
def test_the_order_uses_all_pairs_evenly_and_none_twice_running(count: int, wanted: int, seed: int) -> None:
    found = order(count, wanted, seed, 0)
    times = [found.count(i) for i in range(count)]
    assert len(found) == wanted and max(times) - min(times) <= 1
    assert count == 1 or all(a != b for a, b in pairwise(found))
    assert order(count, wanted + 7, seed, 0)[:wanted] == found, "more batches go on with the same order"
    assert wanted < 20 or count < 6 or found != order(count, wanted, seed, 1), "each task has an order of its own"
