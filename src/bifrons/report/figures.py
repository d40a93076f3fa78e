"""The figures of results and of the gradients: effects, Pareto picture, histograms, per layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from bifrons.records import Gramian
from bifrons.report.inputs import Metric, Results, Row, Study, variant_label
from bifrons.report.svg import (
    FILL,
    GENERATION,
    INK,
    MUTED,
    STYLE,
    UNDERSTANDING,
    Picture,
    colour_of,
    new_figure,
    render,
    zero_line,
)
from bifrons.report.tables import grid_variants, row_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Batches:
    """Task gradients of many batches and where they come from."""

    total: Sequence[Gramian]
    layers: Sequence[tuple[Gramian, ...]]
    intra_understanding: Sequence[float] = ()
    intra_generation: Sequence[float] = ()
    source: str


def effects(study: Study, results: Results) -> Picture | None:
    """Each method's difference from base with its 95% interval, one panel a primary metric."""
    metrics = [
        metric
        for metric in study.primary_metrics
        if any(has_interval(row) for row in results.rows if row.metric == metric.name)
    ]
    named = {metric.name for metric in metrics}
    wanted = {row.variant for row in results.rows if row.metric in named and has_interval(row)}
    variants = [variant for variant in grid_variants(study, results) if variant in wanted]
    if not metrics:
        return None
    with matplotlib.rc_context(STYLE):
        figure, panels = new_figure(
            max(5.0, 2.2 + 2.7 * len(metrics)), 0.9 + 0.27 * len(variants), 1, len(metrics), sharey=True
        )
        for axes, metric in zip(panels, metrics, strict=True):
            zero_line(axes, vertical=True)
            for place, variant in enumerate(variants):
                row = row_of(study, results, variant, metric)
                if row.delta is None or row.delta_ci95 is None:
                    continue
                colour, hollow = colour_of(study, variant.method), study.method(variant.method).kind == "post_hoc"
                axes.plot(row.delta_ci95, (place, place), color=colour, linewidth=1.3)
                axes.plot(
                    row.delta, place, "o", color=colour, markersize=5, markerfacecolor="none" if hollow else colour
                )
            better = "right" if metric.direction == "higher" else "left"
            axes.set_title(metric.label)
            axes.set_xlabel(f"difference from base ({better} is better)")
            axes.xaxis.set_major_locator(MaxNLocator(4))
            axes.tick_params(axis="y", length=0)
            axes.spines["left"].set_visible(False)
        panels[0].set_yticks(
            range(len(variants)),
            [f"{variant_label(study, variant)}{star(study, variant.method)}" for variant in variants],
        )
        panels[0].set_ylim(len(variants) - 0.4, -0.6)
        return render(figure, "effects", "Difference from base by method, with 95% intervals")


def has_interval(row: Row) -> bool:
    return row.delta is not None and row.delta_ci95 is not None


def star(study: Study, method: str) -> str:
    return "" if study.method(method).deployable else " *"


def histograms(batches: Batches) -> Picture | None:
    """Figure 2 of the paper: cosine and ratio of the task gradients over batches; same-task cosines if measured."""
    usable = [gramian for gramian in batches.total if not gramian.degenerate]
    cosines = [gramian.cosine for gramian in usable if gramian.cosine is not None]
    ratios = [ratio for gramian in usable if (ratio := gramian.generation_over_understanding) is not None]
    if not cosines or not ratios:
        return None
    intra = [
        (batches.intra_understanding, UNDERSTANDING, "understanding, batch to batch"),
        (batches.intra_generation, GENERATION, "generation, batch to batch"),
    ]
    with matplotlib.rc_context(STYLE):
        figure, (left, right) = new_figure(7.6, 2.7, 1, 2)
        low = min([*cosines, *batches.intra_understanding, *batches.intra_generation, 0.0])
        high = max([*cosines, *batches.intra_understanding, *batches.intra_generation, 0.0])
        bins = np.linspace(low - 1e-6, high + 1e-6, 37).tolist()
        zero_line(left, vertical=True)
        left.hist(cosines, bins, weights=shares(cosines), color=FILL, label="understanding against generation")
        for values, colour, label in intra:
            if values:
                left.hist(
                    list(values),
                    bins,
                    weights=shares(values),
                    histtype="step",
                    color=colour,
                    linewidth=1.2,
                    label=label,
                )
        left.axvline(float(np.mean(cosines)), color=INK, linewidth=1, linestyle=(0, (4, 2)))
        left.set(title="Cosine of the task gradients", xlabel="cosine", ylabel="share of batches")
        left.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=1)
        wide = max(ratios) / min(ratios) > 20
        edges = (
            np.geomspace(min(ratios), max(ratios), 31)
            if wide
            else np.linspace(min(ratios) - 1e-6, max(ratios) + 1e-6, 31)
        )
        right.hist(ratios, list(edges), weights=shares(ratios), color=FILL)
        right.axvline(float(np.mean(ratios)), color=INK, linewidth=1, linestyle=(0, (4, 2)))
        if wide:
            log_axis(right, "x")
        right.set(title="Length ratio of the task gradients", xlabel="generation over understanding")
        return render(figure, "gradients", "Histograms of the cosine and the length ratio of the two task gradients")


def shares(values: Sequence[float]) -> list[float]:
    return [1 / len(values)] * len(values)


def log_axis(axes: Axes, which: str) -> None:
    """A logarithmic axis with plain numbers on it."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def per_layer(batches: Batches) -> Picture | None:
    """Figure 4 of the paper: mean cosine and ratio of each layer, with the standard deviation over batches."""
    depth = max((len(layers) for layers in batches.layers), default=0)
    if depth == 0:
        return None
    panels: list[tuple[str, list[list[float]]]] = [
        ("Cosine by layer", []),
        ("Length ratio by layer, generation over understanding", []),
    ]
    for layer in range(depth):
        at_layer = [layers[layer] for layers in batches.layers if layer < len(layers)]
        panels[0][1].append([value for gramian in at_layer if (value := gramian.cosine) is not None])
        panels[1][1].append(
            [value for gramian in at_layer if (value := gramian.generation_over_understanding) is not None]
        )
    if not any(panels[0][1]):
        return None
    with matplotlib.rc_context(STYLE):
        figure, every = new_figure(7.6, 2.4, 1, 2)
        for axes, (title, columns) in zip(every, panels, strict=True):
            places = [place for place, values in enumerate(columns) if values]
            means = [float(np.mean(columns[place])) for place in places]
            spreads = [float(np.std(columns[place], ddof=1)) if len(columns[place]) > 1 else 0.0 for place in places]
            axes.errorbar(
                places,
                means,
                yerr=spreads,
                fmt="o-",
                color=INK,
                ecolor=MUTED,
                elinewidth=0.8,
                markersize=3.5,
                linewidth=1,
            )
            axes.set(title=title, xlabel="layer")
            axes.xaxis.set_major_locator(MaxNLocator(12, integer=True))
        zero_line(every[0])
        every[1].set_ylim(bottom=0)
        return render(figure, "layers", "Cosine and length ratio of the task gradients by layer")


def pareto(study: Study, results: Results) -> Picture | None:
    """Figure 5 of the paper: understanding against generation, one point a variant with its 95% intervals.

    Labels stand at the right in order of height, so that they never overlap.
    """
    axes_metrics = pareto_metrics(study)
    if axes_metrics is None:
        return None
    up, along = axes_metrics
    points = []
    for variant in grid_variants(study, results):
        y, x = row_of(study, results, variant, up), row_of(study, results, variant, along)
        if y.mean is not None and x.mean is not None:
            points.append((variant, x, y, x.mean, y.mean))
    if not points:
        return None
    with matplotlib.rc_context(STYLE):
        figure, (axes,) = new_figure(7.6, max(3.4, 0.25 * len(points) + 1.2))
        for variant, x, y, at_x, at_y in points:
            method = study.method(variant.method)
            colour = colour_of(study, variant.method)
            if method.kind == "base":
                zero_line(axes, at_x, vertical=True)
                zero_line(axes, at_y)
            for interval, fixed, is_x in ((x.ci95, at_y, True), (y.ci95, at_x, False)):
                if interval is not None:
                    line = (interval, (fixed, fixed)) if is_x else ((fixed, fixed), interval)
                    axes.plot(*line, color=colour, linewidth=0.9, alpha=0.45)
            marker = "D" if method.kind == "base" else "o"
            axes.plot(
                at_x,
                at_y,
                marker,
                color=colour,
                markersize=6,
                markerfacecolor="none" if method.kind == "post_hoc" else colour,
            )
        axes.set(xlabel=better_label(along), ylabel=better_label(up))
        if along.direction == "lower":
            axes.invert_xaxis()
        if up.direction == "lower":
            axes.invert_yaxis()
        heights = sorted(points, key=lambda point: point[4], reverse=up.direction == "higher")
        for place, (variant, _, _, at_x, at_y) in enumerate(heights):
            axes.annotate(
                f"{variant_label(study, variant)}{star(study, variant.method)}",
                xy=(at_x, at_y),
                xytext=(1.05, 1 - (place + 0.5) / len(heights)),
                textcoords="axes fraction",
                va="center",
                fontsize=8,
                color=colour_of(study, variant.method),
                arrowprops={
                    "arrowstyle": "-",
                    "color": colour_of(study, variant.method),
                    "linewidth": 0.5,
                    "alpha": 0.6,
                    "shrinkB": 4,
                    "relpos": (0, 0.5),
                },
            )
        return render(figure, "pareto", f"{up.label} against {along.label}, one point a method")


def pareto_metrics(study: Study) -> tuple[Metric, Metric] | None:
    """The first primary metric of understanding and of generation; None where either is missing."""
    found = [
        next((metric for metric in study.primary_metrics if metric.task == task), None)
        for task in ("understanding", "generation")
    ]
    return None if found[0] is None or found[1] is None else (found[0], found[1])


def better_label(metric: Metric) -> str:
    return metric.label if metric.direction == "higher" else f"{metric.label} (lower is better, axis reversed)"
