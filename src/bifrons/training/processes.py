"""The processes of one run: who computes which pairs, and what is summed over all of them.

In "replicas" each process holds the whole model; both task gradients are summed over all processes before any inner
product is taken (a mean of the processes' Gramians would be another figure). In "sharded" the language model is cut
into disjoint parts (FSDP2): gradients arrive summed, each process holds a part of them, and the inner products of the
parts are summed in float64. Neither is DDP, whose hooks expect one backward a step.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

Layout = Literal["replicas", "sharded"]


def join(layout: Layout) -> Processes:
    """This process's place among those that `accelerate launch` (or torchrun) started; itself alone otherwise.

    Raises ValueError for a layout that does not exist, and for "sharded" in one process.
    """
    if layout not in ("replicas", "sharded"):
        raise ValueError(f"layout is {layout!r}; it is 'replicas' or 'sharded'")
    launched = int(os.environ.get("WORLD_SIZE", "1"))
    if launched == 1:
        if layout == "sharded":
            raise ValueError("layout 'sharded' needs several processes: accelerate launch on GPUs, torchrun on the CPU")
        return Processes()
    from accelerate import PartialState

    on_cpu = os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes") or not torch.cuda.is_available()
    state = PartialState(cpu=on_cpu)  # starts the process group: NCCL where there are GPUs, gloo on the CPU
    if state.num_processes != launched:  # each would train alone, and all would write to one folder
        raise ValueError(
            f"{launched} processes were launched, but accelerate sees {state.num_processes} on this device"
        )
    return Processes(state.process_index, state.num_processes, layout, state.device)


@dataclass(frozen=True, slots=True)
class Processes:
    """This process's place among `count`. One process alone is the usual case, and nothing is communicated then."""

    rank: int = 0
    count: int = 1
    layout: Layout = "replicas"
    device: torch.device | None = None  # None leaves the model where it is

    @property
    def writes(self) -> bool:
        """Only the first process writes files and shows progress."""
        return self.rank == 0

    def micro_batches(self, pairs: int, accumulate: int) -> list[range]:
        """This process's micro-batches of a step: the positions of their pairs among those of all processes.

        Parts differ by one pair at most. Raises ValueError for fewer pairs than micro-batches, since a part would be
        empty, and for shares of a sharded model that are not equal: its processes have to call it equally often.
        """
        parts = self.count * accumulate
        if pairs < parts:
            raise ValueError(
                f"pairs_per_step is {pairs}; {self.count} processes with accumulate {accumulate} need at least {parts}"
            )
        if self.layout == "sharded" and pairs % self.count:
            raise ValueError(f"pairs_per_step is {pairs}; sharded over {self.count} processes it has to be a multiple")
        bounds = [number * pairs // parts for number in range(parts + 1)]
        own = range(self.rank * accumulate, (self.rank + 1) * accumulate)
        return [range(bounds[number], bounds[number + 1]) for number in own]

    def summed(self, tensor: Tensor) -> Tensor:
        """The tensor summed over all processes."""
        if self.count == 1:
            return tensor
        total = tensor.detach().clone()
        torch.distributed.all_reduce(total)
        return total

    def summed_shards(self, tensor: Tensor) -> Tensor:
        """Summed where the language model's gradients are in disjoint parts; as it is where each process has them."""
        return self.summed(tensor) if self.layout == "sharded" else tensor

    def agree(self, own: bool) -> bool:
        """Whether it is so in every process."""
        return self.count == 1 or int(self.summed(torch.tensor(int(own), device=self.device))) == self.count

    def shares(self, count: int) -> list[int]:
        """Which of `count` items this process computes. All processes get equally many, so that they call a sharded
        model equally often: the last item comes twice where they do not divide.
        """
        rounds = -(-count // self.count)
        return [min(number * self.count + self.rank, count - 1) for number in range(rounds)]

    def sum_gradients(self, gradients: Sequence[Tensor | None]) -> list[Tensor | None]:
        """Each gradient summed over all processes, in one message; None, which all of them have alike, stays None."""
        present = [gradient for gradient in gradients if gradient is not None]
        if self.count == 1 or not present:
            return list(gradients)
        flat = self.summed(torch.cat([gradient.flatten() for gradient in present]))
        pieces = iter(flat.split([gradient.numel() for gradient in present]))
        return [None if gradient is None else next(pieces).view_as(gradient) for gradient in gradients]


ALONE = Processes()


def local(tensor: Any) -> Any:
    """The part of a sharded tensor that this process holds; any other tensor, and None, as it is."""
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor


def whole(tensor: Any) -> Any:
    """A sharded tensor put together, which all processes have to ask for; any other tensor as it is."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


def put(parameter: Tensor, value: Tensor) -> None:
    """Copy a whole tensor into a parameter, which may be sharded."""
    if hasattr(parameter, "device_mesh"):
        from torch.distributed.tensor import distribute_tensor

        value = distribute_tensor(value.to(parameter.device), parameter.device_mesh, parameter.placements)  # pyright: ignore
    with torch.no_grad():
        parameter.copy_(value)
