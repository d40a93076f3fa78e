"""How time and memory grow with pairs, image tokens and batch: measured, fitted, and drawn.

Times are fitted by a power law. Memory begins at what the weights and the libraries take, so it is fitted by a line.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks import machine
from benchmarks.measure import Row, timed
from benchmarks.subjects import SUBJECTS, Subject, generation_pairs, prompts, understanding_pairs
from bifrons.models.janus.model import JanusModel
from bifrons.protocol import Sampling

FIGURE = Path(__file__).parent / "growth.svg"
PAIRS = (1, 2, 4, 8, 16)
IMAGE_TOKENS = (16, 36, 64)
BATCH = (1, 2, 4, 8, 16, 32)
MEMORY = (1, 4, 16)


def run(quick: bool, device: str, figure: Path = FIGURE) -> list[Row]:
    """On the organism: a step against pairs a step, a generation step against codes scored, drawing against batch."""
    subject = SUBJECTS["organism"]
    model = subject.build(device)
    model.add_adapter(subject.adapter)
    take = 2 if quick else None
    series: dict[str, tuple[str, list[float], list[float]]] = {
        "step against pairs": measured("pairs a step", PAIRS[:take], lambda n: step(model, subject, n)),
        "step against image tokens": measured(
            "codes of each drawing", IMAGE_TOKENS[:take], lambda n: step_of_codes(model, subject, n)
        ),
        "drawing against batch": measured(
            "images a batch", BATCH[:take], lambda n: drawn(model, prompts(subject, max(BATCH)), n)
        ),
    }
    if not quick:
        sizes = [float(n) for n in MEMORY]
        series["peak memory against pairs"] = ("pairs a step", sizes, [peak_memory(n) for n in MEMORY])
    fits = {name: (line if is_memory(name) else power_law)(xs, ys) for name, (_, xs, ys) in series.items()}
    if not quick:
        draw_figure(series, fits, figure)
    return [
        Row(
            benchmark="growth",
            subject="organism",
            what=f"{name}: {'MiB a pair' if is_memory(name) else 'exponent'}",
            ratio=fits[name][1],
            unit="",
            details={"x": xs, "y": ys, "x_is": label, "start" if is_memory(name) else "factor": fits[name][0]},
        )
        for name, (label, xs, ys) in series.items()
    ]


def measured(label: str, sizes: tuple[int, ...], work: Callable[[int], Any]) -> tuple[str, list[float], list[float]]:
    """The least of three timings at each size."""
    seconds: list[float] = []
    for size in sizes:
        work(size)
        seconds.append(min(timed(lambda: work(size)) for _ in range(3)))  # noqa: B023
    return label, [float(size) for size in sizes], seconds


def step(model: JanusModel, subject: Subject, count: int) -> None:
    """Forward and backward of `count` pairs of each task."""
    for pairs in (understanding_pairs(subject, count), generation_pairs(model, subject, count)):
        model.log_probs(model.pack(pairs)).sums.sum().backward()
    for parameter in model.shared_parameters():
        parameter.tensor.grad = None


def step_of_codes(model: JanusModel, subject: Subject, codes: int) -> None:
    """Forward and backward of the first `codes` codes of four pairs."""
    packed = model.pack(generation_pairs(model, subject, 4))
    prompt = packed.ids.shape[1] - model.num_image_tokens
    embeds = model.embed(packed)[:, : prompt + codes]
    hidden = model.core.language_model(inputs_embeds=embeds, use_cache=False).last_hidden_state
    model.head("generation", hidden[:, prompt:]).log_softmax(dim=-1).sum().backward()
    for parameter in model.shared_parameters():
        parameter.tensor.grad = None


def drawn(model: JanusModel, texts: list[str], batch: int) -> None:
    model.draw_codes(texts[:batch], Sampling(temperature=1.0, batch_size=batch))


def power_law(xs: list[float], ys: list[float]) -> tuple[float, float]:
    """Factor and exponent of y = factor * x ** exponent, least squares on logarithms."""
    exponent, constant = np.polyfit(np.log(xs), np.log(ys), 1)
    return float(np.exp(constant)), float(exponent)


def line(xs: list[float], ys: list[float]) -> tuple[float, float]:
    """Start and slope of y = start + slope * x, least squares."""
    slope, start = np.polyfit(xs, ys, 1)
    return float(start), float(slope)


def is_memory(name: str) -> bool:
    return name.startswith("peak memory")


def peak_memory(pairs: int) -> float:
    """MiB of a child process that makes one step of `pairs` pairs."""
    command = [sys.executable, "-m", "benchmarks.growth", str(pairs)]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(json.loads(shown.splitlines()[-1]))


def draw_figure(series: dict[str, Any], fits: dict[str, tuple[float, float]], path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.2 * len(series), 3), layout="constrained")
    axes: NDArray[Any] = np.atleast_1d(figure.subplots(1, len(series)))
    for axis, (name, (label, xs, ys)) in zip(axes, series.items(), strict=True):
        start, growth = fits[name]
        sizes = np.array(xs)
        fitted = start + growth * sizes if is_memory(name) else start * sizes**growth
        axis.plot(xs, ys, "o", color="black")
        told = f"{start:.0f} + {growth:.0f} x" if is_memory(name) else f"x^{growth:.2f}"
        axis.plot(xs, fitted, "-", color="tab:blue", label=told)
        if not is_memory(name):
            axis.set(xscale="log", yscale="log")
        axis.minorticks_off()
        axis.set_xticks(xs, [f"{x:g}" for x in xs])
        if not is_memory(name):
            axis.set_yticks(ys, [f"{y:.2f}" for y in ys])
        axis.set(title=name, xlabel=label, ylabel="MiB" if is_memory(name) else "seconds")
        axis.legend(frameon=False)
    figure.savefig(path, format="svg", metadata={"Date": None})


if __name__ == "__main__":
    torch.set_num_threads(1)
    own = SUBJECTS["organism"].build()
    own.add_adapter(SUBJECTS["organism"].adapter)
    step(own, SUBJECTS["organism"], int(sys.argv[1]))
    print(json.dumps(machine.peak_memory("cpu") / 1024**2))
