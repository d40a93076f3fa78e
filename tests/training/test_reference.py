"""The reference: the base's own log-probabilities, computed once, cached under all they depend on, rechecked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from short_run import GENERATION, UNDERSTANDING, run
from tiny_janus import SETTINGS, make_model, move_adapter, plain_sums
from torch import Tensor

from bifrons.models.janus.model import JanusModel
from bifrons.training.reference import reference_log_probs

BY_TASK = pytest.mark.parametrize(
    ("task", "pairs"),
    [("understanding", UNDERSTANDING), ("generation", GENERATION)],
    ids=["understanding", "generation"],
)


def count_forwards(model: JanusModel, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """One entry a forward, True where gradients were on: in training, not for the reference."""
    seen: list[bool] = []
    log_probs = model.log_probs

    def counted(packed: Any) -> Any:
        seen.append(torch.is_grad_enabled())
        return log_probs(packed)

    monkeypatch.setattr(model, "log_probs", counted)
    return seen


@BY_TASK
def test_the_reference_is_the_base(model: JanusModel, tmp_path: Path, task: Any, pairs: Any) -> None:
    """Against transformers' own forward of plain sequences, also from the cache; no noise in the same arithmetic."""
    model.add_adapter(SETTINGS)
    with torch.no_grad():
        expected = torch.stack([plain_sums(model, pair) for pair in pairs])
    for _ in range(2):
        sums, noise = reference_log_probs(model, task, pairs, tmp_path)
        torch.testing.assert_close(sums, expected, rtol=1e-6, atol=1e-5)
        assert noise == 0.0
    assert len(list(tmp_path.iterdir())) == 1


@BY_TASK
def test_an_adapter_that_was_trained_is_no_start(model: JanusModel, task: Any, pairs: Any) -> None:
    """The margin would not start at 0: refused, with the distance."""
    model.add_adapter(SETTINGS)
    move_adapter(model)
    with pytest.raises(ValueError, match=f"{task} before step 0 is .* nats away from its reference"):
        reference_log_probs(model, task, pairs)


def test_a_second_run_reads_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first computes 4 pairs a face and rechecks them; the second, of another seed, only rechecks."""
    counts: list[int] = []
    for seed in (0, 1):
        model = make_model()
        seen = count_forwards(model, monkeypatch)
        run(model, seed=seed, reference_cache=tmp_path, steps=2)
        assert seen.count(True) == 4  # two steps of two tasks
        counts.append(seen.count(False))
    assert counts == [4 + 4 + 4 + 4, 4 + 4]
    assert len(list(tmp_path.iterdir())) == 2


def test_the_cache_is_kept_by_content(tmp_path: Path) -> None:
    """Other pairs, or the base in another dtype, have a file of their own; provenance is no part of the content."""
    model = make_model()
    model.add_adapter(SETTINGS)
    reference_log_probs(model, "generation", GENERATION, tmp_path)
    unknown = [replace(pair, provenance=replace(pair.provenance, builder="elsewhere")) for pair in GENERATION]
    reference_log_probs(model, "generation", unknown, tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    reference_log_probs(model, "generation", GENERATION[:3], tmp_path)
    reference_log_probs(model, "generation", GENERATION[::-1], tmp_path)
    low = make_model(torch.bfloat16)
    low.add_adapter(SETTINGS)
    reference_log_probs(low, "generation", GENERATION, tmp_path)
    assert len(list(tmp_path.iterdir())) == 4


def swapped(sums: Tensor) -> Tensor:
    return sums.flip(1)


def shifted(sums: Tensor) -> Tensor:
    """Chosen and rejected alike: the margin stays 0, the log-ratios would all be wrong."""
    return sums + 1.0


def reordered(sums: Tensor) -> Tensor:
    return sums.roll(1, 0)


def not_a_number(sums: Tensor) -> Tensor:
    return sums * float("nan")


@pytest.mark.parametrize("poison", [swapped, shifted, reordered, not_a_number])
def test_a_poisoned_cache_is_refused(tmp_path: Path, poison: Callable[[Tensor], Tensor]) -> None:
    run(make_model(), reference_cache=tmp_path, strategy="understanding_only", steps=1)
    (path,) = tmp_path.iterdir()
    save_file({"sums": poison(load_file(path)["sums"]).contiguous()}, path)
    with pytest.raises(ValueError, match="away from its reference"):
        run(make_model(), reference_cache=tmp_path, strategy="understanding_only", steps=1)


def test_a_cache_of_another_shape_is_computed_again(model: JanusModel, tmp_path: Path) -> None:
    model.add_adapter(SETTINGS)
    sums, _ = reference_log_probs(model, "generation", GENERATION, tmp_path)
    (path,) = tmp_path.iterdir()
    save_file({"sums": sums[:2].contiguous()}, path)
    assert torch.equal(reference_log_probs(model, "generation", GENERATION, tmp_path)[0], sums)
    assert torch.equal(load_file(path)["sums"], sums)
