"""Compiled layers: the same run but for roundings, and one line where nothing can be compiled."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest
import torch
from tiny_janus import generation_pairs, make_model
from torch._dynamo.utils import counters

from bifrons import align
from bifrons.models.janus.model import JanusModel
from bifrons.protocol import AdapterSettings
from bifrons.training import Alignment
from bifrons.training.compilation import check_compilation, compiled_layers
from bifrons.training.processes import ALONE

SETTINGS = AdapterSettings(rank=4, alpha=8.0, dropout=0.0)


def run(model: JanusModel) -> Alignment:
    return align(
        model,
        generation=generation_pairs(2),
        strategy="generation_only",
        steps=1,
        adapter=SETTINGS,
        compile=True,
        progress=False,
    )


@pytest.mark.slow
@torch.no_grad()
def test_compiled_layers_round_as_eager_ones() -> None:
    """In 16 bits kernels that round less are 0.09 nats away here: with `emulate_precision_casts` off this fails."""
    model, made = make_model(torch.bfloat16), counters["stats"]["unique_graphs"]
    packed = model.pack(generation_pairs(1))
    eager = model.log_probs(packed).sums
    with compiled_layers(model, True):
        compiled = model.log_probs(packed).sums
    assert counters["stats"]["unique_graphs"] > made
    torch.testing.assert_close(compiled, eager, rtol=0, atol=0.01)
    assert all(layer._compiled_call_impl is None for layer in model.core.language_model.layers)


def test_a_run_compiles_while_it_trains_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    model = make_model()
    monkeypatch.setattr(model, "compile_layers", asked.append)
    run(model)
    assert asked == [True, False, True, False]  # for the reference, then for the steps


def test_without_a_compiler_nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_model()
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="needs a C\\+\\+ compiler"):
        run(model)
    assert model.adapted is None


def test_shards_are_not_compiled() -> None:
    with pytest.raises(ValueError, match="shards"):
        check_compilation(replace(ALONE, layout="sharded"))
