"""The page of a diagnosis: what to train with and why, then everything that it rests on. Imports no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from bifrons.records import write_text
from bifrons.report.diagnosis_figures import along_run, replayed_weights, token_law
from bifrons.report.diagnosis_inputs import DiagnosisInputs, FreshModel, load_folder
from bifrons.report.diagnosis_tables import cuts_table, dynamics_lines, law_table, replay_table, statistics_table
from bifrons.report.figures import Batches, histograms, per_layer
from bifrons.report.files import write_files
from bifrons.report.numbers import p_value, significant
from bifrons.report.page import TEMPLATES
from bifrons.report.svg import Picture, css_variables
from bifrons.report.table import Table


def write_diagnosis(folder: Path) -> Path:
    """Write `diagnosis.html`, `figures/*.svg`, `tables/*.csv` and `tables/*.tex` from the records of a diagnosis.

    Returns the page's path. Raises ValueError that names the file and the key for an input that is missing or bad.
    """
    inputs = load_folder(folder)
    tables, pictures = make_tables(inputs), make_pictures(inputs)
    page = render_page(inputs, tables, pictures)
    write_files(folder, [t for t in tables.values() if t], [p for p in pictures.values() if p])
    target = folder / "diagnosis.html"
    write_text(target, page)
    return target


def make_tables(inputs: DiagnosisInputs) -> dict[str, Table | None]:
    return {
        "statistics": statistics_table(inputs.fresh) if inputs.fresh else None,
        "law": law_table(inputs.intervention) if inputs.intervention else None,
        "cuts": cuts_table(inputs.intervention) if inputs.intervention else None,
        "replay": replay_table(inputs.run) if inputs.run else None,
    }


def make_pictures(inputs: DiagnosisInputs) -> dict[str, Picture | None]:
    fresh, run = inputs.fresh, inputs.run
    batches = None
    if fresh is not None:
        batches = Batches(
            total=fresh.total,
            layers=[layers for layers in fresh.layers if layers],
            intra_understanding=fresh.intra_understanding,
            intra_generation=fresh.intra_generation,
            source="on the untrained model",
        )
    return {
        "gradients": histograms(batches) if batches else None,
        "layers": per_layer(batches) if batches else None,
        "law": token_law(inputs.intervention) if inputs.intervention else None,
        "run": along_run(run) if run else None,
        "replay": replayed_weights(run) if run else None,
    }


def render_page(inputs: DiagnosisInputs, tables: dict[str, Table | None], pictures: dict[str, Picture | None]) -> str:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["with_code"] = with_code
    fresh, run = inputs.fresh, inputs.run
    values: dict[str, Any] = {
        "fresh": fresh,
        "run": run,
        "intervention": inputs.intervention,
        "tables": tables,
        "figures": {name: Markup(picture.inline) if picture else None for name, picture in pictures.items()},
        "layer_sentence": layer_sentence(fresh) if fresh else "",
        "zero_sentence": zero_sentence(fresh) if fresh else "",
        "margin_sentence": margin_sentence(fresh) if fresh else "",
        "notes": fresh.statistics.value.get("notes", []) if fresh else [],
        "dynamics": dynamics_lines(run) if run else [],
        "light": css_variables(dark=False),
        "dark": css_variables(dark=True),
    }
    return environment.get_template("diagnosis.html.j2").render(values)


def with_code(sentence: str) -> Markup:
    """A sentence, escaped, with what stands between backticks as code."""
    parts = [escape(part) for part in sentence.split("`")]
    return Markup("").join(Markup("<code>{}</code>").format(p) if i % 2 else p for i, p in enumerate(parts))


def margin_sentence(fresh: FreshModel) -> str:
    """The equivalence test of the cosine, and the smallest cosine that so many batches could have told from 0."""
    near = fresh.statistics.node("cosine_within")
    margin, p = near.number("margin"), near.number("p")
    if p is None:
        text = f"Whether the cosine lies within ±{margin:g} of 0 cannot be tested: {near.text('reason', '')}."
    else:
        text = (
            f"Equivalence of the mean cosine to 0 within ±{margin:g}: {near.text('verdict')} (two one-sided tests, p "
        )
        text += f"{p_value(p)})."
    smallest = fresh.statistics.number("detectable_cosine")
    if smallest is not None:
        text += f" A mean cosine of {significant(smallest, 2)} would have been told from 0 with power 0.8."
    return text


def layer_sentence(fresh: FreshModel) -> str:
    found = fresh.statistics.node("uniformity")
    p, largest, layer = found.number("p"), found.number("largest"), found.whole("layer")
    if p is None or largest is None:
        return f"Whether layers are alike was not tested: {found.text('reason', 'no reason was recorded')}."
    return (
        f"Layers: {found.text('verdict')}. Permutation test of equal mean cosines, p {p_value(p)}; "
        f"layer {layer} lies farthest from the mean of all, by {significant(largest, 2)}."
    )


def zero_sentence(fresh: FreshModel) -> str:
    """The gradient of every LoRA A at the start."""
    largest = fresh.statistics.number("largest_a")
    if largest is None:
        return "The adapter has no LoRA A, so there is no zero gradient to check."
    rule = (
        "A fresh LoRA adds B A x with B = 0, and the gradient of A carries B as a factor: it has to be exactly 0, and "
        "all that is measured here lies in the gradients of B."
    )
    if largest == 0:
        return f"{rule} Checked in every batch: the gradient of every A was exactly 0."
    return f"{rule} It was not: the largest magnitude was {significant(largest, 2)}, so this adapter was not fresh."
