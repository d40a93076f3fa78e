"""The report's section on HermesFlow: verdicts, the gap (table 4), rounds and single-sided training (table 5), what was
kept, how far judges err, the richness of samples (figure 6) and one record (figure 7).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.ticker import MaxNLocator

from bifrons.records import read_json
from bifrons.report.fields import Node
from bifrons.report.hermesflow_tables import (
    GapRow,
    claims_table,
    gap_row,
    gap_table,
    heading,
    judges_table,
    kinds_table,
    records_table,
    rounds_table,
)
from bifrons.report.inputs import Results, Row, Study
from bifrons.report.load import picture
from bifrons.report.numbers import plain
from bifrons.report.svg import GENERATION, INK, MUTED, STYLE, UNDERSTANDING, Picture, new_figure, render
from bifrons.report.table import Table

FILE = "hermesflow.json"
TEMPLATES = Path(__file__).parent / "templates"
RICHNESS = {"num_captions": "captions", "num_drawings": "drawings"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The section as HTML, and what is written beside the page."""

    html: Markup
    tables: list[Table]
    pictures: list[Picture]


def hermesflow_section(folder: Path, study: Study, results: Results) -> Section | None:
    """None where the study holds no rounds. Raises ValueError that names the file and the key for a bad record."""
    file = folder / FILE
    if not file.is_file():
        return None
    value = read_json(file)
    if not isinstance(value, dict):
        raise ValueError(f"{file}: expected an object at the top")
    root = Node(value, file)
    gaps = [gap_row(node) for node in root.nodes("gaps")]
    tables = {
        "claims": claims_table(root),
        "gap": gap_table(study, [row for row in gaps if not row.kind]),
        "kinds": kinds_table(study, gaps),
        "rounds": rounds_table(study, results),
        "records": records_table(study, root),
        "judges": judges_table(study, root),
    }
    figures = {
        "gap": gap_figure(study, [row for row in gaps if not row.kind]),
        "rounds": rounds_figure(study, results),
        "richness": richness_figure(study, results),
    }
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    html = environment.get_template("hermesflow.html.j2").render(
        tables=tables,
        figures={name: Markup(made.inline) if made else None for name, made in figures.items()},
        example=example_of(root),
    )
    return Section(
        html=Markup(html),
        tables=[table for table in tables.values() if table],
        pictures=[made for made in figures.values() if made],
    )


def gap_figure(study: Study, gaps: list[GapRow]) -> Picture | None:
    """Figure 2b: U and G of each model and round, self-judged and verified."""
    chosen = [row for row in gaps if not row.variant.setting]
    keys = list(dict.fromkeys(row.variant for row in chosen))
    if not keys:
        return None
    with matplotlib.rc_context(STYLE):
        figure, (axes,) = new_figure(max(4.5, 1.6 + 0.9 * len(keys)), 2.8)
        for place, variant in enumerate(keys):
            own = [row for row in chosen if row.variant == variant]
            first = own[0]
            verified = next((row for row in own if "verifier" in row.judge), None)
            axes.plot(place - 0.16, first.numbers["understanding"], "o", color=UNDERSTANDING)
            axes.plot(place, first.numbers["generation"], "o", color=GENERATION)
            if verified is not None:
                axes.plot(place + 0.16, verified.numbers["generation"], "s", color=GENERATION, markerfacecolor="none")
            axes.plot(
                (place - 0.16, place),
                (first.numbers["understanding"], first.numbers["generation"]),
                color=MUTED,
                linewidth=0.8,
            )
        axes.plot([], [], "o", color=UNDERSTANDING, label="U, real images")
        axes.plot([], [], "o", color=GENERATION, label="G, judged by the model")
        axes.plot([], [], "s", color=GENERATION, markerfacecolor="none", label="G, verified")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.25), ncols=3)
        labels = [f"{heading(study, v).text}\n{heading(study, v).small}".strip() for v in keys]
        axes.set_xticks(range(len(keys)), labels, fontsize=7)
        axes.set(ylabel="accuracy", title="Reading and drawing, the same questions")
        return render(figure, "hermesflow_gap", "Accuracy of reading and of drawing on the same questions")


def rounds_figure(study: Study, results: Results) -> Picture | None:
    """Gain over the base by round, one line a method, a panel for each face."""
    panels = [("answer_accuracy", "Understanding: answer accuracy"), ("attribute_accuracy", "Generation: attributes")]
    labels = {method.name: method.label for method in study.methods}
    rows = [row for row in results.rows if not row.variant.setting and row.variant.round and row.delta is not None]
    if not rows:
        return None
    with matplotlib.rc_context(STYLE):
        figure, every = new_figure(7.6, 2.6, 1, 2)
        for axes, (metric, title) in zip(every, panels, strict=True):
            axes.axhline(0, color=MUTED, linewidth=0.8)
            for number, method in enumerate(dict.fromkeys(row.variant.method for row in rows)):
                line = sorted(
                    (r.variant.round or 0, r) for r in rows if (r.variant.method, r.metric) == (method, metric)
                )
                if not line:
                    continue
                spots = [0, *(place for place, _ in line)]
                heights = [0.0, *(row.delta or 0.0 for _, row in line)]
                axes.plot(spots, heights, "o-", label=labels.get(method, method), color=shade(number), markersize=4)
                for place, row in line:
                    if row.delta_ci95 is not None:
                        axes.plot((place, place), row.delta_ci95, color=shade(number), linewidth=0.8)
            axes.set(title=title, xlabel="round", ylabel="gain over the base")
            axes.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True))
        every[0].legend(loc="best")
        return render(figure, "hermesflow_rounds", "Gain over the base by round of self-play")


def first(pair: tuple[int, Row]) -> int:
    return pair[0]


def shade(number: int) -> str:
    return (INK, UNDERSTANDING, GENERATION, MUTED)[number % 4]


def richness_figure(study: Study, results: Results) -> Picture | None:
    """Figure 6: gain of both faces over the number of samples, for studies whose variants set it."""
    panels = [("answer_accuracy", UNDERSTANDING, "answers"), ("attribute_accuracy", GENERATION, "drawings")]
    found: dict[str, list[tuple[int, str, Row]]] = {}
    for row in results.rows:
        varied = dict(row.variant.setting)
        names = [name for name in RICHNESS if name in varied]
        if row.delta is None or not names or set(varied) - set(RICHNESS):
            continue
        for name in names:
            found.setdefault("both" if len(names) == 2 else name, []).append((int(varied[name]), row.metric, row))
            break
    if not found:
        return None
    for name, values in found.items():  # the study's own number stands beside the varied ones
        own = study.setting("num_captions" if name == "both" else name)
        if isinstance(own, int):
            values += [
                (own, r.metric, r)
                for r in results.rows
                if not r.variant.setting and r.variant.round == 1 and r.delta is not None
            ]
    with matplotlib.rc_context(STYLE):
        figure, every = new_figure(3.6 * len(found) + 0.4, 2.6, 1, len(found))
        for axes, (name, values) in zip(every, found.items(), strict=True):
            axes.axhline(0, color=MUTED, linewidth=0.8)
            for metric, colour, label in panels:
                line = sorted(((number, row) for number, one, row in values if one == metric), key=first)
                axes.plot([n for n, _ in line], [r.delta or 0.0 for _, r in line], "o-", color=colour, label=label)
                for number, row in line:
                    if row.delta_ci95 is not None:
                        axes.plot((number, number), row.delta_ci95, color=colour, linewidth=0.8)
            axes.set(title=f"Samples an input: {RICHNESS.get(name, 'captions and drawings')}", xlabel="n")
            axes.set_ylabel("gain over the base")
        every[0].legend(loc="best")
        return render(figure, "hermesflow_richness", "Gain over the number of samples")


def example_of(root: Node) -> dict[str, Any] | None:
    """Figure 7: one record, checked before it stands in the page."""
    if not root.has("example"):
        return None
    node = root.node("example")
    return {
        "image": picture(node, "image"),
        "caption": node.text("caption"),
        "captions": [(one.text("text"), plain(one.number("score"), 2)) for one in node.nodes("captions")],
        "drawings": [(picture(one, "image"), plain(one.number("score"), 2)) for one in node.nodes("drawings")],
        "questions": [(one.text("text"), one.text("answer")) for one in node.nodes("questions")],
    }
