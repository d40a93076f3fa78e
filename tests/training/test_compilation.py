"""Compiled layers: the same run but for roundings, and one line where nothing can be compiled."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest
import torch
from tiny_janus import generation_pairs, make_model

from bifrons import align
from bifrons.protocol import AdapterSettings
from bifrons.training.compilation import check_compilation
from bifrons.training.processes import ALONE

SETTINGS = AdapterSettings(rank=4, alpha=8.0, dropout=0.0)


def losses(compiles: bool) -> list[float]:
    model = make_model()
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
    return [step.generation.loss for step in done.steps if step.generation is not None]


@pytest.mark.slow
def test_compiled_layers_train_alike() -> None:
    """Another compiler sums in another order, and so not to the last digit."""
    plain, compiled = losses(False), losses(True)
    assert compiled == pytest.approx(plain, rel=1e-5) and compiled[1:] != plain[1:]


def test_without_a_compiler_nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ValueError, match="needs a C\\+\\+ compiler"):
        losses(True)


def test_shards_are_not_compiled() -> None:
    with pytest.raises(ValueError, match="shards"):
        check_compilation(torch.device("cpu"), replace(ALONE, layout="sharded"))
