"""Figure 3 of the paper: how cosine, ratio, weights and losses move during training, one colour a method."""

from __future__ import annotations

import math
from itertools import cycle
from typing import Any

import matplotlib
from matplotlib.lines import Line2D

from bifrons.report.figures import log_axis
from bifrons.report.inputs import Study
from bifrons.report.run_tables import LN_2
from bifrons.report.runs import Quantity, Runs, curve
from bifrons.report.svg import STYLE, Picture, colour_of, new_figure, render, zero_line

PANELS: tuple[tuple[Quantity, str], ...] = (
    ("loss_understanding", "Understanding loss"),
    ("loss_generation", "Generation loss"),
    ("cosine", "Cosine of the task gradients"),
    ("ratio", "Length ratio, generation over understanding"),
    ("weight_understanding", "Weight of understanding"),
    ("weight_generation", "Weight of generation"),
)
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (2, 1.2)), (0, (6, 1.5, 1.5, 1.5)))


def dynamics(study: Study, runs: Runs) -> Picture | None:
    """Six panels by step; None where no step records were read."""
    methods = [method for method in study.methods if runs.values.get(method.name)]
    if not methods:
        return None
    dashes = dict(zip((method.name for method in methods), cycle(DASHES), strict=False))
    shown: list[tuple[Quantity, str]] = [
        (quantity, title)
        for quantity, title in PANELS
        if any(quantity in runs.values[method.name] for method in methods)
    ]
    with matplotlib.rc_context(STYLE):
        rows = math.ceil(len(shown) / 2)
        figure, every = new_figure(7.6, 0.7 + 2.05 * rows, rows, 2)
        for axes in every[len(shown) :]:
            axes.set_visible(False)
        for axes, (quantity, title) in zip(every, shown, strict=False):
            everything: list[float] = []
            for method in methods:
                by_step = runs.values[method.name].get(quantity)
                if not by_step:
                    continue
                line = curve(by_step)
                colour = colour_of(study, method.name)
                axes.plot(line.steps, line.raw, color=colour, alpha=0.18, linewidth=0.7)
                axes.plot(line.steps, line.smooth, color=colour, linestyle=dashes[method.name], linewidth=1.4)
                everything += line.raw
            if quantity in ("loss_understanding", "loss_generation"):
                zero_line(axes, LN_2)
            elif quantity == "cosine":
                zero_line(axes)
            elif min(everything) > 0 and max(everything) / min(everything) > 20:
                log_axis(axes, "y")
            axes.set_title(title)
            axes.margins(x=0.02)
        for axes in every[max(0, len(shown) - 2) : len(shown)]:
            axes.set_xlabel("step")
        handles = [
            Line2D([], [], color=colour_of(study, method.name), linestyle=dashes[method.name]) for method in methods
        ]
        figure.legend(
            handles, [method.label for method in methods], loc="outside lower center", ncols=4, handlelength=2.6
        )
        return render(figure, "dynamics", "Losses, gradient cosine and ratio, and weights by training step")
