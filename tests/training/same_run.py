"""What it means that two runs, spread over processes in different ways, are one."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from bifrons.records import StepRecord, read_steps


def assert_same_run(folder: Path, alone: Path) -> None:
    """Losses, Gramians in total and per layer, weights, norms and every tensor of the adapter, to 1e-5."""
    found, expected = read_steps(folder / "steps.jsonl"), read_steps(alone / "steps.jsonl")
    assert len(found) == len(expected) > 0
    for own, other in zip(found, expected, strict=True):
        assert numbers(own) == pytest.approx(numbers(other), rel=1e-5, abs=1e-4)  # nats of sums over 64 codes
        assert own.understanding is not None and other.understanding is not None
        assert own.understanding.records == other.understanding.records
    tensors, others = (load_file(path / "adapter" / "adapter_model.safetensors") for path in (folder, alone))
    assert tensors.keys() == others.keys()
    for name, tensor in tensors.items():
        torch.testing.assert_close(tensor, others[name], rtol=1e-5, atol=1e-5)


def numbers(step: StepRecord) -> list[float]:
    assert step.understanding is not None and step.generation is not None and step.gramian is not None
    found = [step.understanding.loss, step.generation.loss, step.understanding.margin, step.generation.margin]
    found += [step.weights.understanding, step.weights.generation, step.norm_before_clip]
    for gramian in (step.gramian, *step.layers):
        cosine = gramian.cosine
        assert cosine is not None
        found += [gramian.norm_understanding, gramian.norm_generation, cosine]
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
