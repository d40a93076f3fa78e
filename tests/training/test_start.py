"""A run that goes on from an adapter: where it starts, and what it is measured against."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from short_run import GENERATION, UNDERSTANDING
from tiny_janus import make_model, move_adapter

from bifrons.models.janus.model import JanusModel
from bifrons.protocol import AdapterSettings
from bifrons.training import Recipe, align
from bifrons.training.reference import reference_log_probs

ADAPTER = AdapterSettings(rank=2, alpha=4.0, dropout=0.0)
RECIPE = Recipe(strategy="naive_joint", steps=1, learning_rate=1e-12, adapter=ADAPTER)


@pytest.fixture
def start(model: JanusModel, tmp_path: Path) -> Path:
    """An adapter that moved far from its base."""
    model.add_adapter(ADAPTER)
    move_adapter(model)
    model.save_adapter(tmp_path / "start")
    model.remove_adapter()
    return tmp_path / "start"


def test_against_its_start_a_run_begins_at_ln_2_and_against_its_base_it_does_not(
    model: JanusModel, start: Path
) -> None:
    """With the previous round as reference every margin is 0 at step 0; with the first model it is what the start
    learned.
    """
    losses: dict[str, float] = {}
    for reference in ("start", "base"):
        run = align(
            model,
            understanding=UNDERSTANDING,
            generation=GENERATION,
            recipe=RECIPE,
            start=start,
            reference=reference,  # type: ignore[arg-type]
            progress=False,
        )
        seen = run.steps[0].generation
        assert seen is not None
        losses[reference] = seen.margin
        model.remove_adapter()
    assert losses["start"] == pytest.approx(0.0, abs=1e-3)
    assert abs(losses["base"]) > 0.1


def test_both_references_are_what_they_say(model: JanusModel, start: Path) -> None:
    """Of the base: as without any adapter. Of the start: as the adapter itself gives."""
    base, _ = reference_log_probs(model, "generation", GENERATION)
    model.load_adapter(start)
    with torch.no_grad():
        own = torch.cat([model.log_probs(model.pack([pair])).sums for pair in GENERATION])
    assert torch.allclose(reference_log_probs(model, "generation", GENERATION, start="x")[0], base, atol=1e-4)
    found, noise = reference_log_probs(model, "generation", GENERATION, reference="start", start="x")
    assert torch.equal(found, own) and noise == 0.0


def test_the_cache_keeps_both_references_apart(model: JanusModel, start: Path, tmp_path: Path) -> None:
    model.load_adapter(start)
    both = [
        reference_log_probs(model, "generation", GENERATION, tmp_path, reference=reference, start="x")[0]  # type: ignore[arg-type]
        for reference in ("base", "start", "base")
    ]
    assert torch.equal(both[0], both[2]) and not torch.allclose(both[0], both[1], atol=0.1)


def test_a_start_that_is_none_is_refused_by_name(model: JanusModel, start: Path, tmp_path: Path) -> None:
    def run(folder: Path, rank: int = 2, given: JanusModel = model) -> None:
        adapter = AdapterSettings(rank=rank, alpha=4.0, dropout=0.0)
        align(
            given,
            generation=GENERATION,
            strategy="generation_only",
            steps=1,
            adapter=adapter,
            start=folder,
            progress=False,
        )

    with pytest.raises(ValueError, match="nothing: holds no adapter to start from"):
        run(tmp_path / "nothing")
    with pytest.raises(ValueError, match="start: has rank 2, and the recipe says 4"):
        run(start, rank=4)
    other = make_model()
    with torch.no_grad():
        other.network.lm_head.weight.add_(1.0)
    from bifrons.models.janus import from_network

    foreign = from_network(other.network, other.processor, name="other")
    with pytest.raises(ValueError, match="other"):
        run(start, given=foreign)
