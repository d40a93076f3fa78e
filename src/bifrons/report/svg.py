"""One drawing style for every figure, and SVG that follows the page's light or dark colours."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from bifrons.report.inputs import Study

# Figures are drawn in the light colours; inline, each becomes its CSS variable. No two names share a colour.
COLOURS = {
    "ink": ("#22262b", "#e4e6e9"),
    "muted": ("#6d747c", "#9aa2ab"),
    "rule": ("#d4d8dd", "#3b4148"),
    "fill": ("#b9c3cd", "#56616c"),
    "blue": ("#2c679c", "#7db3e0"),
    "rust": ("#b4532b", "#e99970"),
    "green": ("#3c7f50", "#7fc796"),
    "purple": ("#77549a", "#bd9fdc"),
    "gold": ("#9a770f", "#d7b750"),
    "teal": ("#1d8589", "#62c6c8"),
    "pink": ("#a9446c", "#e48fb0"),
    "olive": ("#6c7430", "#b4bd73"),
    "slate": ("#4d5f86", "#9cadd4"),
    "brown": ("#7d5f4b", "#c2a48f"),
}
METHOD_COLOURS = {
    "base": "ink",
    "understanding_only": "blue",
    "generation_only": "rust",
    "naive_joint": "muted",
    "pcgrad": "purple",
    "gradient_weighted": "green",
    "gradient_weighted_smoothed": "olive",
    "length_normalized": "gold",
    "fixed_weight": "teal",
    "rewarded_soup": "pink",
    "separate_lora": "slate",
}
STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "bifrons",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.titlelocation": "left",
    "axes.grid": False,
    "axes.facecolor": "none",
    "figure.facecolor": "white",
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "lines.linewidth": 1.4,
    "legend.frameon": False,
    **dict.fromkeys(
        ("text.color", "axes.labelcolor", "xtick.labelcolor", "ytick.labelcolor", "axes.titlecolor"), COLOURS["ink"][0]
    ),
    **dict.fromkeys(("axes.edgecolor", "xtick.color", "ytick.color"), COLOURS["muted"][0]),
}
INK, MUTED, RULE, FILL = (COLOURS[name][0] for name in ("ink", "muted", "rule", "fill"))
FONT = re.compile(r'(<text style="[^"]*?)font-family: [^;"]+')
UNDERSTANDING, GENERATION = COLOURS["blue"][0], COLOURS["rust"][0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A finished figure: `inline` takes the page's colours, `file` stands alone on white."""

    name: str
    inline: str
    file: str


def colour_of(study: Study, method: str) -> str:
    """A method's colour, the same in every figure; strategies without one of their own share what is left, in turn."""
    if method in METHOD_COLOURS:
        return COLOURS[METHOD_COLOURS[method]][0]
    spare = [
        name
        for name in ("brown", "olive", "pink", "slate")
        if name not in {METHOD_COLOURS.get(each.name) for each in study.methods}
    ]
    others = [each.name for each in study.methods if each.name not in METHOD_COLOURS]
    return COLOURS[spare[others.index(method) % len(spare)]][0]


def new_figure(
    width: float, height: float, rows: int = 1, columns: int = 1, **options: Any
) -> tuple[Figure, list[Axes]]:
    """A figure of so many inches with its axes in reading order. To be called under `matplotlib.rc_context(STYLE)`."""
    figure = Figure(
        figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08, wspace=0.03, hspace=0.03)
    )
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    return figure, list(axes.flat)


def zero_line(axes: Axes, at: float = 0.0, vertical: bool = False) -> None:
    (axes.axvline if vertical else axes.axhline)(at, color=RULE, linewidth=0.9, zorder=0)


def render(figure: Figure, name: str, title: str) -> Picture:
    """Figure to SVG text, the same bytes for the same data."""
    buffer = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        FigureCanvasSVG(figure).print_svg(
            buffer, metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
        )
    svg = buffer.getvalue().decode("utf-8")
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"\s*<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = FONT.sub(r"\1font-family: 'Helvetica Neue', Helvetica, Arial, sans-serif", svg)
    white = re.compile(r'(<g id="patch_1">.*?style="fill: )#ffffff', re.DOTALL)
    return Picture(name=name, inline=inline(white.sub(r"\1none", svg, count=1), name, title), file=svg)


def inline(svg: str, name: str, title: str) -> str:
    """SVG that may stand in a page beside others: own ids, a title, the page's colours and font."""
    svg = re.sub(r"\s*<defs>\s*<style.*?</style>\s*</defs>", "", svg, count=1, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r"url\(#", f"url(#{name}-", svg)
    svg = re.sub(r'href="#', f'href="#{name}-', svg)
    svg = FONT.sub(r"\1font-family: inherit", svg)
    for colour, (light, _) in COLOURS.items():
        svg = svg.replace(light, f"var(--{colour})")
    label = title.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    return svg.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)


def css_variables(dark: bool) -> str:
    return " ".join(f"--{name}: {pair[dark]};" for name, pair in COLOURS.items())
