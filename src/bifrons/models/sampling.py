"""Answers and drawings of batches of items: of like length, left padded, each item with noise of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bifrons.protocol import Sampling


def uniforms(seed: int, items: list[int], positions: int) -> Tensor:
    """One uniform number for each (seed, item, position), [items, positions], float64 in [0, 1)."""
    keys = [np.array([seed & (2**64 - 1), item], dtype=np.uint64) for item in items]
    return torch.from_numpy(
        np.stack([np.random.Generator(np.random.Philox(key=key)).random(positions) for key in keys])
    )


def choose(logits_BV: Tensor, temperature: float, uniform_B: Tensor) -> Tensor:
    """A token a row, [B]: the largest logit at temperature 0, else the inverse of the cumulative distribution at
    `uniform_B`.

    One uniform a token, whatever the vocabulary; sums in float64, so that the batch an item stands in does not move it.
    """
    if temperature == 0:
        return logits_BV.argmax(dim=-1)
    cumulative = (logits_BV.double() / temperature).softmax(dim=-1).cumsum(dim=-1)
    wanted = uniform_B.to(cumulative.device)[:, None] * cumulative[:, -1:]
    return torch.searchsorted(cumulative, wanted, right=True)[:, 0].clamp_max(logits_BV.shape[-1] - 1)


def guided(logits: Tensor, guidance: float) -> Tensor:
    """Classifier-free guidance u + s (c - u), from rows of which the first half is conditional (Ho and Salimans
    2022).
    """
    if guidance == 1:
        return logits
    conditional, unconditional = logits.chunk(2)
    return unconditional + guidance * (conditional - unconditional)


def left_padded(rows: list[list[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    """Ids [B, L] padded on the left, and where they are real, bool [B, L]."""
    length = max(map(len, rows))
    ids = torch.tensor([[pad_id] * (length - len(row)) + row for row in rows])
    valid = torch.tensor([[False] * (length - len(row)) + [True] * len(row) for row in rows])
    return ids, valid


def batches(
    likeness: Sequence[Any], sampling: Sampling, report: Callable[[int], None] | None
) -> Iterator[tuple[list[int], list[int]]]:
    """Indices of the items of each batch, and their noise names. Items are sorted by `likeness`, such as their length:
    less padding.
    """
    names = list(sampling.items) if sampling.items is not None else list(range(len(likeness)))
    if len(names) != len(likeness):
        raise ValueError(f"sampling.items names {len(names)} items for {len(likeness)}")
    order = sorted(range(len(likeness)), key=lambda i: likeness[i])
    for start in range(0, len(order), sampling.batch_size):
        chosen = order[start : start + sampling.batch_size]
        yield chosen, [names[i] for i in chosen]
        if report:
            report(len(chosen))
