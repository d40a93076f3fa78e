"""The processes of one run: who computes which pairs, and what is summed over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Processes:
    """This process's place among `count`. One process alone is the usual case, and nothing is communicated then."""

    rank: int = 0
    count: int = 1
    layout: Literal["replicas", "sharded"] = "replicas"

    @property
    def writes(self) -> bool:
        """Only the first process writes files and shows progress."""
        return self.rank == 0

    def micro_batches(self, pairs: int, accumulate: int) -> list[tuple[int, range]]:
        """This process's micro-batches of a step: their number over all processes, and the positions of their pairs.

        Parts differ by one pair at most. Raises ValueError for fewer pairs than micro-batches: a part would be empty.
        """
        parts = self.count * accumulate
        if pairs < parts:
            raise ValueError(
                f"pairs_per_step is {pairs}; {self.count} processes with accumulate {accumulate} need at least {parts}"
            )
        bounds = [number * pairs // parts for number in range(parts + 1)]
        own = range(self.rank * accumulate, (self.rank + 1) * accumulate)
        return [(number, range(bounds[number], bounds[number + 1])) for number in own]

    def summed(self, tensor: Tensor) -> Tensor:
        """The tensor summed over all processes."""
        if self.count == 1:
            return tensor
        total = tensor.clone()
        torch.distributed.all_reduce(total)
        return total

    def sum_gradients(self, gradients: Sequence[Tensor | None]) -> list[Tensor | None]:
        """Each gradient summed over all processes, in one message; None, which all of them have alike, stays None."""
        present = [gradient for gradient in gradients if gradient is not None]
        if self.count == 1 or not present:
            return list(gradients)
        flat = self.summed(torch.cat([gradient.flatten() for gradient in present]))
        pieces = iter(flat.split([gradient.numel() for gradient in present]))
        return [None if gradient is None else next(pieces).view_as(gradient) for gradient in gradients]
