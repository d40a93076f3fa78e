"""Gradients of the packed and cached step against those of the plain one, in fp32."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from benchmarks.baselines.two_model import generation_log_probs, understanding_log_probs
from benchmarks.measure import Row
from benchmarks.step import baseline_batches
from benchmarks.subjects import SUBJECTS, generation_pairs, understanding_pairs
from bifrons.losses import dpo, margins
from bifrons.models.janus.model import JanusModel

BAR = 1e-5


def run(quick: bool, device: str) -> list[Row]:
    rows: list[Row] = []
    for name in ["organism"] if quick else ["organism", "slice fp32"]:
        subject = SUBJECTS[name]
        model = subject.build(device)
        pairs: dict[str, Any] = {
            "understanding": understanding_pairs(subject, 1)[0],
            "generation": generation_pairs(model, subject, 1)[0],
        }
        batches = baseline_batches(model, pairs["understanding"], pairs["generation"])
        references = {task: sums(model, pair).detach() for task, pair in pairs.items()}
        model.add_adapter(subject.adapter)
        move(model)
        for (task, pair), log_probs, batch in zip(
            pairs.items(), (understanding_log_probs, generation_log_probs), batches, strict=True
        ):
            ours = gradient(model, sums(model, pair), references[task])
            plain = gradient(model, log_probs(model.network, batch)[None], references[task])
            rows.append(
                Row(
                    benchmark="gradients",
                    subject=name,
                    what=f"{task}: norm of the difference / norm",
                    ratio=float((ours - plain).norm() / plain.norm()),
                    bar=BAR,
                    better="lower",
                    unit="",
                )
            )
        del model
    return rows


def sums(model: JanusModel, pair: Any) -> Tensor:
    return model.log_probs(model.pack([pair])).sums


def move(model: JanusModel) -> None:
    """Random B, where a fresh adapter has zeros and gives A no gradient."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.shared_parameters():
            if "lora_B" in parameter.name:
                noise = torch.randn(parameter.tensor.shape, generator=generator)
                parameter.tensor.copy_(0.01 * noise)


def gradient(model: JanusModel, policy: Tensor, reference: Tensor) -> Tensor:
    """Of the DPO loss over all that trains, flat; 0 where it does not reach."""
    parameters = [p.tensor for p in model.shared_parameters()] + [p for _, p in model.head_parameters()]
    loss = dpo(margins(policy[:, 0], policy[:, 1], reference[:, 0], reference[:, 1]), 0.1).mean()
    taken = torch.autograd.grad(loss, parameters, allow_unused=True)
    return torch.cat(
        [(torch.zeros_like(p) if g is None else g).flatten() for p, g in zip(parameters, taken, strict=True)]
    )
