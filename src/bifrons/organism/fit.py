"""One training loop for every network of the organism: AdamW, warm-up and cosine, a log line, checkpoints that resume.

The batch of a step is a function of (seed, stage, step), so a run that was killed and resumed sees the same data.
"""

from __future__ import annotations

import json
import math
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

Loss = Callable[[int, np.random.Generator], tuple[Tensor, dict[str, float]]]
Measure = Callable[[], dict[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The settings of one stage. `learning_rate` is the peak; it falls to a twentieth of itself along a cosine."""

    name: str
    steps: int  # the length of the schedule
    batch: int
    learning_rate: float
    warmup: int = 100
    weight_decay: float = 0.01
    clip: float = 1.0
    average: float = 0.0  # decay of the exponential moving average of the weights; 0 keeps none
    measure_every: int = 500
    checkpoint_every: int = 250
    stop: int = 0  # steps to run where the next stage goes on before the schedule ends; 0 runs all

    @property
    def num_steps(self) -> int:
        return self.stop or self.steps


def generator(seed: int, stage: str, step: int) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(stage.encode()), step])


def learning_rate(stage: Stage, step: int) -> float:
    if step < stage.warmup:
        return stage.learning_rate * (step + 1) / stage.warmup
    progress = (step - stage.warmup) / max(1, stage.steps - stage.warmup)
    return stage.learning_rate * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * progress)))


def fit(
    module: nn.Module, stage: Stage, loss_at: Loss, *, seed: int, out: Path, measure: Measure | None = None
) -> None:
    """Train `module` in place; weights, moments and step lie in `out/<stage>.safetensors`, figures in `out/log.jsonl`.

    A finished stage is loaded and not run again. Raises FloatingPointError when the loss stops being a number.
    """
    out.mkdir(parents=True, exist_ok=True)
    parameters = {name: p for name, p in module.named_parameters() if p.requires_grad}
    optimizer = torch.optim.AdamW(
        parameters.values(), lr=stage.learning_rate, weight_decay=stage.weight_decay, betas=(0.9, 0.98)
    )
    averages = {name: p.detach().clone() for name, p in parameters.items()} if stage.average else {}
    start = load(out / f"{stage.name}.safetensors", parameters, averages, optimizer)
    log = out / "log.jsonl"
    began = time.monotonic()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[figures]}"),
    )
    with Progress(*columns) as progress:
        bar = progress.add_task(stage.name, total=stage.num_steps, completed=start, figures="")
        for step in range(start, stage.num_steps):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(stage, step)
            loss, figures = loss_at(step, generator(seed, stage.name, step))
            if not torch.isfinite(loss):
                raise FloatingPointError(f"{stage.name}: the loss is {loss.item()} at step {step}")
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            norm = nn.utils.clip_grad_norm_(parameters.values(), stage.clip)
            optimizer.step()
            decay = min(stage.average, (1 + step) / (10 + step))
            for name, average in averages.items():
                average.lerp_(parameters[name].detach(), 1 - decay)
            progress.update(bar, advance=1, figures=" ".join(f"{k} {v:.3f}" for k, v in figures.items()))
            done = step + 1
            if done % 50 == 0 or done == stage.num_steps:
                line = {"stage": stage.name, "step": done, "loss": loss.item(), "norm": float(norm), **figures}
                if measure and (done % stage.measure_every == 0 or done == stage.num_steps):
                    with swapped(parameters, averages):
                        line |= measure()
                line["seconds"] = round(time.monotonic() - began, 1)
                with log.open("a") as file:
                    file.write(
                        json.dumps({k: round(v, 5) if isinstance(v, float) else v for k, v in line.items()}) + "\n"
                    )
            if done % stage.checkpoint_every == 0 or done == stage.num_steps:
                save(out / f"{stage.name}.safetensors", done, parameters, averages, optimizer)
    with torch.no_grad():
        for name, average in averages.items():
            parameters[name].copy_(average)


class swapped:
    """Within this block the parameters hold their moving averages (where there are any)."""

    def __init__(self, parameters: dict[str, nn.Parameter], averages: dict[str, Tensor]) -> None:
        self.parameters, self.averages = parameters, averages

    def exchange(self) -> None:
        with torch.no_grad():
            for name, average in self.averages.items():
                held = self.parameters[name].detach().clone()
                self.parameters[name].copy_(average)
                average.copy_(held)

    def __enter__(self) -> None:
        self.exchange()

    def __exit__(self, *_: object) -> None:
        self.exchange()


def save(
    path: Path,
    step: int,
    parameters: dict[str, nn.Parameter],
    averages: dict[str, Tensor],
    optimizer: torch.optim.AdamW,
) -> None:
    tensors = {f"weight/{name}": p.detach() for name, p in parameters.items()}
    tensors |= {f"average/{name}": average for name, average in averages.items()}
    for name, p in parameters.items():
        for moment, value in optimizer.state[p].items():
            tensors[f"{moment}/{name}"] = value
    part = path.with_suffix(".part")
    save_file({name: t.contiguous() for name, t in tensors.items()}, part, metadata={"step": str(step)})
    part.replace(path)


def load(
    path: Path, parameters: dict[str, nn.Parameter], averages: dict[str, Tensor], optimizer: torch.optim.AdamW
) -> int:
    """Bring back a stage's state; the step to go on from, 0 where nothing was saved."""
    if not path.exists():
        return 0
    tensors = load_file(path)
    with torch.no_grad():
        for name, p in parameters.items():
            p.copy_(tensors[f"weight/{name}"])
            if f"step/{name}" in tensors:  # parameters that no loss has reached have no moments
                optimizer.state[p] = {m: tensors[f"{m}/{name}"] for m in ("step", "exp_avg", "exp_avg_sq")}
        for name, average in averages.items():
            average.copy_(tensors[f"average/{name}"])
    with safe_open(path, "pt") as file:
        return int(file.metadata()["step"])
