"""Norms of cut losses against autograd on the sum of the first tokens; what does not differ has no norm."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny_janus import generation_pairs, understanding_pairs

from bifrons.diagnostics import diagnose_gradients, intervene
from bifrons.diagnostics.intervention import answer_cuts, code_cuts
from bifrons.models.janus.model import JanusModel

U, G = understanding_pairs(3), generation_pairs(3)


def plain_norm(model: JanusModel, pair: Any, first: int | None) -> float:
    """Half the norm of the gradient of the truncated margin, beta 1, with the first tokens picked by hand."""
    each = model.token_log_probs(model.pack([pair]))
    sides = [each.values[each.sequence == side][:first].sum() for side in (0, 1)]
    found = torch.autograd.grad(
        0.5 * (sides[0] - sides[1]), [p.tensor for p in model.shared_parameters()], allow_unused=True
    )
    return sum(float(g.double().square().sum()) for g in found if g is not None) ** 0.5


def test_cut_norms_are_those_of_the_truncated_losses(adapted: JanusModel) -> None:
    """Every cut of both tasks; the whole one is the diagnosis' own gradient."""
    found = intervene(adapted, U, G, batches=2, beta=1.0)
    whole = diagnose_gradients(adapted, U, G, batches=2, beta=1.0)
    assert [cut.first for cut in found[0].generation] == [4, 8, 16, 32, None]
    for batch, same in zip(found, whole, strict=True):
        assert batch.records == same.records
        for cuts, pairs, norm in (
            (batch.understanding, U, same.total.norm_understanding),
            (batch.generation, G, same.total.norm_generation),
        ):
            pair = pairs[int(batch.records[pairs is G][3:])]
            for cut in cuts:
                assert cut.norm == pytest.approx(plain_norm(adapted, pair, cut.first), rel=1e-4)
                counts = [min(cut.first or 10**9, count) for count in adapted.count_tokens(pair)]
                assert cut.tokens == sum(counts) / 2
            assert cuts[-1].first is None and cuts[-1].norm == pytest.approx(norm, rel=1e-4)
    assert all(p.tensor.grad is None for p in adapted.shared_parameters())
    assert intervene(adapted, U, G, batches=2, beta=1.0, done=found[:1]) == found


def test_what_chosen_and_rejected_share_gives_no_gradient(adapted: JanusModel) -> None:
    """Drawings with the first ten codes in common: cuts up to there have no norm, and only the rest counts."""
    pair = G[0]
    alike = replace(pair, rejected_codes=pair.chosen_codes[:10] + pair.rejected_codes[10:])
    cuts = intervene(adapted, U[:1], [alike], batches=1)[0].generation
    start = next(i for i in range(10, 64) if alike.chosen_codes[i] != alike.rejected_codes[i])
    assert [(cut.norm is None, cut.differing) for cut in cuts[:2]] == [(True, 0.0), (True, 0.0)]
    assert cuts[2].norm is not None and cuts[2].differing == 16 - start
    assert cuts[-1].differing == 64 - start


def test_cuts_follow_the_model_and_the_data(adapted: JanusModel) -> None:
    assert code_cuts(576) == [36, 72, 144, 288, None]
    assert code_cuts(4) == [1, 2, None]
    cuts = answer_cuts(adapted, U)
    assert cuts[-1] is None and all(cut is not None and cut >= 1 for cut in cuts[:-1])


def test_bad_input_is_named(adapted: JanusModel) -> None:
    with pytest.raises(ValueError, match="understanding pairs, and there are none"):
        intervene(adapted, [], G)
    with pytest.raises(ValueError, match="0 batches"):
        intervene(adapted, U, G, batches=0)
