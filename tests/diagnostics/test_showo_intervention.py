"""What cutting a drawing means where its codes are drawn together."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from test_intervention import plain_norm
from tiny_janus import understanding_pairs
from tiny_showo import generation_pairs, make_model

from bifrons.diagnostics import diagnose_gradients, intervene
from bifrons.models.showo.model import ShowoModel
from bifrons.protocol import AdapterSettings
from bifrons.testing import move

U, G = understanding_pairs(3), generation_pairs()


@pytest.fixture(scope="module")
def adapted() -> ShowoModel:
    model = make_model()
    model.add_adapter(AdapterSettings(rank=2, alpha=4.0, dropout=0.0))
    move(model)
    return model


def test_a_cut_counts_the_first_places_of_the_whole_drawing(adapted: ShowoModel) -> None:
    """Norms of the sum over those places alone; the last cut is the diagnosis' own gradient."""
    found = intervene(adapted, U, G, batches=1, beta=1.0)[0]
    whole = diagnose_gradients(adapted, U, G, batches=1, beta=1.0)[0]
    pair = next(pair for pair in G if pair.id == found.records[1])
    assert [cut.first for cut in found.generation] == [1, 2, 4, 8, None]
    for cut in found.generation:
        assert cut.norm is None or cut.norm == pytest.approx(plain_norm(adapted, pair, cut.first), rel=1e-4)  # type: ignore[arg-type]
        assert cut.tokens == cut.differing == (cut.first or 16)
    assert found.generation[-1].norm == pytest.approx(whole.total.norm_generation, rel=1e-4)


def test_places_with_the_same_code_count_too(adapted: ShowoModel) -> None:
    """Chosen and rejected with their first half in common: it is read beside two second halves, so that it moves the
    margin, which the shared beginning of a causal drawing cannot.
    """
    pair = replace(G[0], rejected_codes=G[0].chosen_codes[:8] + G[0].rejected_codes[8:])
    cuts = intervene(adapted, U[:1], [pair], batches=1)[0].generation
    assert cuts[-2].first == 8 and cuts[-2].differing == 8
    assert cuts[-2].norm is not None and cuts[-2].norm > 0
    with torch.no_grad():
        each = adapted.token_log_probs(adapted.pack([pair]))
    first = [each.values[(each.sequence == side) & (each.position < 8)] for side in (0, 1)]
    assert not torch.allclose(first[0], first[1])
