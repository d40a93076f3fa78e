"""Batches of made-up gradients: vectors whose mean, noise, length and angle are known."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bifrons.diagnostics.batches import Batch, Consecutive
from bifrons.records import Gramian, StepRecord, TaskStep, Weights

Vectors = NDArray[np.float64]


def gramian(first: Vectors, second: Vectors) -> Gramian:
    return Gramian(float(first @ first), float(first @ second), float(second @ second))


def batches_of(u_BLD: Vectors, g_BLD: Vectors, tokens: tuple[float, float] = (30.0, 60.0)) -> list[Batch]:
    """Batches from gradients of shape [batches, layers, numbers]."""

    def pair(first: Vectors, second: Vectors) -> tuple[Gramian, tuple[Gramian, ...]]:
        return gramian(first.ravel(), second.ravel()), tuple(map(gramian, first, second))

    made: list[Batch] = []
    for i, (u, g) in enumerate(zip(u_BLD, g_BLD, strict=True)):
        total, layers = pair(u, g)
        intra: dict[str, Any] = {"understanding": None, "generation": None}
        if i:
            for task, own in (("understanding", u_BLD), ("generation", g_BLD)):
                sum_of, by_layer = pair(own[i - 1], own[i])
                intra[task] = Consecutive(total=sum_of, layers=by_layer)
        made.append(
            Batch(
                batch=i, records=(f"u{i}", f"g{i}"), tokens=tokens, total=total, layers=layers, largest_a=0.0, **intra
            )
        )
    return made


def random_batches(
    count: int,
    *,
    cosine: float = 0.0,
    ratio: float = 12.0,
    spread: float = 0.1,
    signal: float = 1.0,
    layers: int = 4,
    seed: int = 0,
) -> list[Batch]:
    """Each gradient is `signal` times a direction of its task plus unit noise; the directions' cosine is `cosine`, the
    generation gradient is about `ratio` times as long, with log-normal `spread`.
    """
    rng = np.random.default_rng(seed)
    shape, size = (count, layers, 60), layers * 60
    axes = np.linalg.qr(rng.normal(size=(size, 2)))[0].T
    mean_u = axes[0].reshape(layers, 60)
    mean_g = (cosine * axes[0] + np.sqrt(1 - cosine**2) * axes[1]).reshape(layers, 60)
    u = signal * mean_u + rng.normal(size=shape) / np.sqrt(size)
    g = signal * mean_g + rng.normal(size=shape) / np.sqrt(size)
    return batches_of(u, ratio * rng.lognormal(sigma=spread, size=(count, 1, 1)) * g)


def steps_of(gramians: list[Gramian | None], weights: tuple[float, float] = (1.0, 1.0)) -> list[StepRecord]:
    """Step records of a run with 30 answer tokens and 60 codes."""

    def task(tokens: float) -> TaskStep:
        figures = {"loss": 0.69, "margin": 0.0, "accuracy": 0.5, "chosen_log_ratio": 0.0, "rejected_log_ratio": 0.0}
        return TaskStep(num_tokens=tokens, records=("a",), **figures)

    return [
        StepRecord(
            step=i,
            understanding=task(30.0),
            generation=None if seen is None else task(60.0),
            gramian=seen,
            layers=(),
            weights=Weights(*weights),
        )
        for i, seen in enumerate(gramians)
    ]
