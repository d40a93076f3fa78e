"""Figures of a diagnosis that a study's report has not: the law of tokens, one run's gradients, replayed weights."""

from __future__ import annotations

from itertools import cycle
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes

from bifrons.report.diagnosis_inputs import CutPoint, Intervention, StoredRun, figure_of
from bifrons.report.diagnosis_tables import cut_text
from bifrons.report.dynamics import DASHES
from bifrons.report.figures import log_axis
from bifrons.report.runs import curve
from bifrons.report.svg import COLOURS, INK, METHOD_COLOURS, MUTED, RULE, STYLE, Picture, new_figure, render, zero_line

CUT_COLOURS = ("teal", "gold", "purple", "ink")
SPARE = ("brown", "olive", "pink", "slate")


def token_law(found: Intervention) -> Picture | None:
    """Ratio of norms against ratio of tokens on logarithmic axes, one point a choice of cuts, with the fitted line."""
    known = [p for p in found.points if p.tokens.value is not None and p.ratio.value is not None]
    if not known:
        return None
    law = found.fit.node("ratio")
    slope, factor = figure_of(law, "slope"), figure_of(law, "factor")
    with matplotlib.rc_context(STYLE):
        figure, (axes,) = new_figure(7.6, 3.6)
        x = np.geomspace(*span(known), 50)
        if slope.value is not None and factor.value is not None:
            axes.plot(x, factor.value * x**slope.value, color=INK, linewidth=1, label=f"fit, slope {slope.value:.2f}")
            middle = float(np.exp(np.log(x).mean()))
            through = factor.value * middle**slope.value
            axes.plot(x, through * x / middle, color=MUTED, linewidth=0.9, linestyle=(0, (4, 2)), label="slope 1")
        cuts = list(dict.fromkeys(p.understanding for p in found.points))
        for cut, colour in zip(cuts, cycle(CUT_COLOURS), strict=False):
            own = [p for p in known if p.understanding == cut]
            if own:
                points(axes, own, COLOURS[colour][0], f"answers: {cut_text(cut)}")
        log_axis(axes, "x")
        log_axis(axes, "y")
        axes.set(xlabel="token ratio, codes over answer tokens", ylabel="ratio of norms, |g_G| / |g_U|")
        figure.legend(loc="outside right center")
        return render(figure, "token-law", "Ratio of gradient norms against ratio of scored tokens")


def span(known: list[CutPoint]) -> tuple[float, float]:
    values = [p.tokens.value for p in known if p.tokens.value is not None]
    low, high = min(values), max(values)
    return low, high if high > low else 1.01 * low


def points(axes: Axes, own: list[CutPoint], colour: str, label: str) -> None:
    for point in own:
        if point.ratio.interval is not None:
            tokens: list[Any] = [point.tokens.value, point.tokens.value]
            axes.plot(tokens, point.ratio.interval, color=colour, linewidth=0.9, alpha=0.6)
    x: list[Any] = [p.tokens.value for p in own]  # None leaves a gap, which matplotlib's stubs do not know
    y: list[Any] = [p.ratio.value for p in own]
    axes.plot(x, y, "o", color=colour, markersize=4.5, label=label)


def along_run(run: StoredRun) -> Picture | None:
    """Cosine and ratio by step, as recorded and smoothed."""
    panels = [("Cosine of the task gradients", run.cosine), ("Ratio, generation over understanding", run.ratio)]
    if all(value is None for _, values in panels for value in values):
        return None
    with matplotlib.rc_context(STYLE):
        figure, every = new_figure(7.6, 2.5, 1, 2)
        for axes, (title, values) in zip(every, panels, strict=True):
            known = {step: [value] for step, value in enumerate(values) if value is not None}
            line = curve(known)
            axes.plot(line.steps, line.raw, color=RULE, linewidth=0.8)
            axes.plot(line.steps, line.smooth, color=INK, linewidth=1.4)
            axes.set(title=title, xlabel="step")
        zero_line(every[0])
        if min(v for v in run.ratio if v is not None) > 0:
            log_axis(every[1], "y")
        return render(figure, "along-run", "Cosine and ratio of the task gradients by training step")


def replayed_weights(run: StoredRun) -> Picture | None:
    """Both weights by step: the run's own and those of every replayed strategy."""
    if not run.replays:
        return None
    with matplotlib.rc_context(STYLE):
        figure, every = new_figure(7.6, 2.9, 1, 2)
        for axes, (task, title) in zip(
            every, (("understanding", "Weight of understanding"), ("generation", "Weight of generation")), strict=True
        ):
            spare, highest, lowest = cycle(SPARE), 0.0, float("inf")
            for place, (each, dash) in enumerate(zip(run.replays, cycle(DASHES), strict=False)):
                values: tuple[float, ...] = getattr(each, task)
                line = curve({step: [value] for step, value in enumerate(values)})
                colour = COLOURS[METHOD_COLOURS.get(each.strategy) or next(spare)][0]
                label = f"{each.strategy}, {'as trained' if place == 0 else 'replayed'}"
                width = 2.2 if place == 0 else 1.2
                axes.plot(line.steps, line.raw, color=colour, linestyle=dash, linewidth=width, label=label)
                highest, lowest = max(highest, *line.raw), min(lowest, *line.raw)
            if lowest > 0 and highest / lowest > 20:
                log_axis(axes, "y")
            axes.set(title=title, xlabel="step")
        handles, labels = every[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, handlelength=2.6)
        return render(figure, "replay", "Weights of the run and of replayed strategies by training step")
