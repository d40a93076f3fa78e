"""Full fine-tuning of the language model: the same protocol, the same loop, another set of tensors."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from short_run import run, same, trained
from test_recipe import key
from tiny_janus import make_model, parts, sums_of, understanding_pairs

from bifrons.models.adapter import quiet
from bifrons.models.janus.model import JanusModel
from bifrons.protocol import AdapterSettings
from bifrons.training import Recipe

FULL = AdapterSettings(full=True, dropout=0.0)


def test_all_projections_train_and_the_base_stays(model: JanusModel, tmp_path: Path) -> None:
    """7 projections in each of 2 layers, as they are in the network; margins start at 0 and rise; `base_only` is the
    untouched network; what is saved comes back, in plain PEFT too.
    """
    pairs: list[Any] = understanding_pairs(3, seed=5)
    before = sums_of(model, pairs)
    done = run(model, adapter=FULL, steps=6, learning_rate=1e-3, pairs_per_step=4, out=tmp_path, strategy="naive_joint")
    shared = model.shared_parameters()
    assert len(shared) == 14 and {p.layer for p in shared} == {0, 1}
    assert all(p.tensor.dim() == 2 and min(p.tensor.shape) >= 64 for p in shared)
    first, last = done.steps[0], done.steps[-1]
    assert first.understanding is not None and last.understanding is not None and last.generation is not None
    assert first.understanding.margin == pytest.approx(0, abs=1e-4)
    assert last.understanding.margin > 0.5 and last.generation.margin > 0.5
    assert first.gramian is not None and len(first.layers) == 2 and not first.gramian.degenerate
    with model.base_only():
        torch.testing.assert_close(sums_of(model, pairs), before)
    moved = sums_of(model, pairs)
    assert float((moved - before).abs().max()) > 1e-2

    again = make_model()
    again.load_adapter(tmp_path / "adapter")
    assert torch.equal(sums_of(again, pairs), moved)
    with quiet():
        PeftModel.from_pretrained(copy.deepcopy(parts()[0]), str(tmp_path / "adapter"))
    resumed = make_model()
    run(resumed, adapter=FULL, steps=6, learning_rate=1e-3, pairs_per_step=4, out=tmp_path, strategy="naive_joint")
    assert same(trained(resumed), trained(model))


def test_in_bf16_the_copies_are_fp32() -> None:
    model = make_model(torch.bfloat16)
    done = run(model, adapter=FULL, steps=2, learning_rate=1e-6, strategy="naive_joint")
    assert all(p.tensor.dtype == torch.float32 for p in model.shared_parameters())
    assert done.record.margin_noise_generation is not None and done.record.margin_noise_generation < 2


def test_dropout_is_refused() -> None:
    with pytest.raises(ValueError, match="no adapter that could drop inputs; dropout is 0.05"):
        AdapterSettings(full=True)


def test_the_key_tells_them_apart() -> None:
    assert key(Recipe(adapter=FULL)) != key(Recipe(adapter=AdapterSettings(dropout=0.0)))
