"""Compiled layers: the same run but for roundings, and one line where nothing can be compiled."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest
import torch
from tiny_janus import generation_pairs, make_model
from torch._dynamo.utils import counters

from bifrons import align
from bifrons.protocol import AdapterSettings
from bifrons.training import Alignment
from bifrons.training.compilation import check_compilation
from bifrons.training.processes import ALONE

SETTINGS = AdapterSettings(rank=4, alpha=8.0, dropout=0.0)


def run(compiles: bool) -> Alignment:
    model = make_model(torch.bfloat16)
    done = align(
        model,
        generation=generation_pairs(2),
        strategy="generation_only",
        steps=3,
        learning_rate=1e-3,
        adapter=SETTINGS,
        compile=compiles,
        progress=False,
    )
    assert all(layer._compiled_call_impl is None for layer in model.core.language_model.layers)
    return done


@pytest.mark.slow
def test_compiled_layers_train_alike() -> None:
    """In 16 bits too: what they round between two operations is what separate kernels round. Without that the margin
    before step 0 is 0.04 here, and 1.5 nats in a body of 7B.
    """
    made = counters["stats"]["unique_graphs"]
    plain, compiled = run(False), run(True)
    assert counters["stats"]["unique_graphs"] > made
    assert compiled.record.margin_noise_generation is not None and compiled.record.margin_noise_generation < 0.01
    for own, other in zip(plain.steps, compiled.steps, strict=True):
        assert own.generation is not None and other.generation is not None
        assert other.generation.loss == pytest.approx(own.generation.loss, rel=1e-3)


def test_without_a_compiler_nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ValueError, match="needs a C\\+\\+ compiler"):
        run(True)


def test_shards_are_not_compiled() -> None:
    with pytest.raises(ValueError, match="shards"):
        check_compilation(torch.device("cpu"), replace(ALONE, layout="sharded"))
