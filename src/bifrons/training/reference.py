"""Log-probabilities of the reference policy: computed once, before step 0, in the same packing and dtype as
training.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Literal

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from bifrons.protocol import UnifiedModel
from bifrons.records import GenerationPair, Task, UnderstandingPair, pairs_hash, run_key
from bifrons.training.processes import ALONE, Processes

REFERENCE_VERSION = 2
NUM_RECHECKED = 4
MAX_NOISE = {"float32": 1e-2, "bfloat16": 2.0, "float16": 0.5}  # nats a margin may be away from 0 before step 0

Pairs = Sequence[UnderstandingPair] | Sequence[GenerationPair]
ReferencePolicy = Literal["base", "start"]


def reference_log_probs(
    model: UnifiedModel,
    task: Task,
    pairs: Pairs,
    cache: Path | None = None,
    report: Callable[[str], None] | None = None,
    processes: Processes = ALONE,
    *,
    reference: ReferencePolicy = "base",
    start: str = "",
    compiled: bool = False,
) -> tuple[Tensor, float]:
    """[pairs, 2] sums of the reference, chosen first, and the largest margin that recomputing a few pairs leaves
    (nats).

    The reference is the base model, or the model as it is now with the adapter that training starts from: `start` is
    that adapter's fingerprint, empty for a fresh one, which leaves the base as it is.

    With `cache`, a folder, what was computed before for the same weights, dtype, packing and pairs is read from there.
    Raises
    ValueError when the margin at step 0 is too large to be noise: the cache or the model is then not what it says.
    """
    definition = {
        "reference": REFERENCE_VERSION,
        "task": task,
        "packing": getattr(model, "packing_version", 1),
        "pairs": pairs_hash(list(pairs)),  # type: ignore[arg-type]
        **model.identity.scores_by,
    }
    if reference == "start" and start:
        definition["adapter"] = start
    if compiled:
        definition["compiled"] = True  # other kernels, and so other roundings
    within = nullcontext if reference == "start" else model.base_only
    path = None if cache is None else cache / f"reference-{task}-{run_key(definition)}.safetensors"
    sums = None if path is None or not path.is_file() else read(path, len(pairs))
    if not processes.agree(sums is not None):
        sums = None
    if sums is None:
        if report:
            report(f"reference log-probabilities of {len(pairs)} {task} pairs")
        with within():
            sums = all_log_probs(model, pairs, processes)
        if path is not None and processes.writes:
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(f".{os.getpid()}.part")  # another process may compute the same
            save_file({"sums": sums}, part)
            part.replace(path)
    if not start:  # the policy itself: a fresh adapter has to leave the base as it is
        return sums, step_zero_noise(model, task, pairs, sums)
    with within():
        return sums, step_zero_noise(model, task, pairs, sums)


@torch.no_grad()
def all_log_probs(model: UnifiedModel, pairs: Pairs, processes: Processes) -> Tensor:
    """[pairs, 2] of the model as it is, on the CPU, one pair at a time, each computed by one process."""
    table: Tensor | None = None
    seen: set[int] = set()
    for index in processes.shares(len(pairs)):
        sums = model.log_probs(model.pack([pairs[index]])).sums  # type: ignore[list-item]
        table = sums.new_zeros(len(pairs), 2) if table is None else table
        first = index % processes.count == processes.rank and index not in seen
        seen.add(index)
        if first:
            table[index] = sums[0]
    assert table is not None, "there are pairs"
    return processes.summed(table).cpu()


def step_zero_noise(model: UnifiedModel, task: Task, pairs: Pairs, sums: Tensor) -> float:
    """The largest absolute margin of the policy before step 0 over a few pairs; exactly 0 where arithmetic repeats."""
    chosen = sorted({i * len(pairs) // NUM_RECHECKED for i in range(NUM_RECHECKED)})
    with torch.no_grad():
        again = torch.cat([model.log_probs(model.pack([pairs[i]])).sums.cpu() for i in chosen])  # type: ignore[list-item]
    ratios = again - sums[chosen]
    limit = MAX_NOISE.get(str(model.identity.facts.get("dtype", "")), 1e-2)
    away = float(ratios.abs().max())  # of the sums: an equal shift of chosen and rejected would leave the margin at 0
    if not away <= limit:
        raise ValueError(
            f"{task} before step 0 is {away:.3g} nats away from its reference, above {limit}: that is of another model"
        )
    return float((ratios[:, 0] - ratios[:, 1]).abs().max())


def read(path: Path, num_pairs: int) -> Tensor | None:
    with safe_open(path, "pt") as file:
        sums: Tensor = file.get_tensor("sums")
    return sums if sums.shape == (num_pairs, 2) else None
