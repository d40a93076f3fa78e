"""The log-probability of a drawing under a masked model, estimated from a few masks.

A masked model has no chain of conditionals: it says p(code | what a mask leaves visible), for any mask. With n of N
codes hidden, S_n = the expected sum over the hidden codes of log p(code | visible ones), over all masks of n places.

* `elbo`: sum over n of S_n / n, the mean over all orders of drawing of the log-probability of drawing one code at a
  time: a lower bound of log p (Uria et al. 2014; Ou et al. 2025).
* `maskgit`: every hidden code counts alike, as in the model's own training loss (Chang et al. 2022), scaled so that N
  codes are counted in all.

Both are expectations over masks whose size follows cos(pi t / 2) for t uniform in 0..1, as in training; the first is
weighted by one over n and the probability of that size. The masks are a function of the pair's name and the estimator
alone: chosen and rejected have the same ones, and so have policy and reference, so that most of what the masks add
cancels in a margin.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

Weighting = Literal["maskgit", "elbo"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskEstimator:
    """`num_masks` masks a drawing. Antithetic masks come in twos, from t and 1 - t, the second hiding first what the
    first leaves visible: together they hide every place, so that every code is scored.
    """

    num_masks: int = 4
    weighting: Weighting = "maskgit"
    antithetic: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if self.num_masks < 1 or (self.antithetic and self.num_masks % 2):
            even = " and even where they are antithetic" if self.antithetic else ""
            raise ValueError(f"num_masks is {self.num_masks}; it has to be at least 1{even}")
        if self.weighting not in get_args(Weighting):
            raise ValueError(f"weighting {self.weighting!r}: there are {', '.join(get_args(Weighting))}")

    def masks(self, name: str, length: int) -> tuple[Tensor, Tensor]:
        """Hidden places, bool [K, N], and what each mask's sum counts for, float64 [K], of the pair of this name."""
        digest = hashlib.sha256(f"{self.seed} {name}".encode()).digest()
        rng = np.random.Generator(np.random.Philox(key=np.frombuffer(digest[:16], dtype=np.uint64)))
        times: list[float] = []
        orders: list[np.ndarray] = []
        while len(times) < self.num_masks:
            time, order = rng.random(), rng.permutation(length)
            times += [time, 1 - time] if self.antithetic else [time]
            orders += [order, order[::-1]] if self.antithetic else [order]
        sizes = [mask_size(time, length) for time in times]
        hidden = torch.zeros(self.num_masks, length, dtype=torch.bool)
        for row, order, size in zip(hidden, orders, sizes, strict=True):
            row[torch.from_numpy(order[:size].copy())] = True
        return hidden, self.weights(length)[torch.tensor(sizes)]

    def weights(self, length: int) -> Tensor:
        """What the sum over the hidden codes of a mask counts for, by the mask's size, float64 [N + 1]."""
        shares = size_shares(length)
        sizes = torch.arange(length + 1, dtype=torch.float64)
        if self.weighting == "elbo":
            return torch.where(sizes > 0, 1 / (sizes * shares), 0.0)
        return torch.full_like(sizes, length / float((shares * sizes).sum()))

    def spread(self, estimates_PSK: Tensor) -> tuple[Tensor, Tensor]:
        """Standard errors from the estimates of each mask, [pairs, 2, K]: of both log-probabilities, [pairs, 2], and of
        chosen minus rejected, [pairs]. NaN where there is one mask, or one antithetic two, alone.
        """
        grouped = estimates_PSK.double()
        if self.antithetic:
            grouped = grouped.unflatten(-1, (-1, 2)).mean(dim=-1)
        return standard_error(grouped), standard_error(grouped[:, 0] - grouped[:, 1])


def standard_error(values: Tensor) -> Tensor:
    """Of the mean over the last dimension; NaN of one value."""
    count = values.shape[-1]
    if count < 2:
        return torch.full(values.shape[:-1], math.nan, dtype=values.dtype, device=values.device)
    return values.std(dim=-1) / math.sqrt(count)


def mask_size(time: float, length: int) -> int:
    """Hidden places at time t: N cos(pi t / 2), rounded, and never none."""
    return max(1, math.floor(length * math.cos(math.pi * time / 2) + 0.5))


def size_shares(length: int) -> Tensor:
    """The probability of each mask size for t uniform in 0..1, float64 [N + 1]."""
    bounds = [0.0, *((size + 0.5) / length for size in range(1, length)), 1.0]  # size n between bounds n - 1 and n
    times = torch.tensor([2 / math.pi * math.acos(bound) for bound in bounds], dtype=torch.float64)
    return torch.cat((times.new_zeros(1), times[:-1] - times[1:]))
