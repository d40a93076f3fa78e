"""The report: reads a study's folder, writes one self-contained page, its figures and its tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bifrons.records import write_text
from bifrons.report import figures
from bifrons.report.ablations import ablation_tables
from bifrons.report.claims import claims_sentence, claims_table, conditions_table
from bifrons.report.comparisons import comparison_tables
from bifrons.report.dynamics import dynamics
from bifrons.report.figures import Batches
from bifrons.report.files import write_files
from bifrons.report.findings import RULE, fall_sentence, findings, gradient_sentences, statement
from bifrons.report.hermesflow import Section, hermesflow_section
from bifrons.report.inputs import Study, setting_text
from bifrons.report.lengths import length_table
from bifrons.report.load import Inputs, load
from bifrons.report.numbers import listed, significant
from bifrons.report.paper_tables import hyperparameters_table, moments_table, paper_tables
from bifrons.report.run_tables import (
    cells_table,
    diagnosis_table,
    pairs_table,
    settings_table,
    spread_table,
    training_table,
    weights_table,
)
from bifrons.report.runs import MOST_POINTS, Runs, read_runs
from bifrons.report.svg import Picture, css_variables
from bifrons.report.table import Table
from bifrons.report.tables import results_table, secondary_table

TEMPLATES = Path(__file__).parent / "templates"


def write_report(study_dir: Path) -> Path:
    """Write `report.html`, `figures/*.svg`, `tables/*.csv` and `tables/*.tex` from a study's records.

    Returns the page's path.     Raises ValueError that names the file and the key for an input that is missing or bad.
    """
    inputs = load(study_dir)
    runs = read_runs(inputs)
    batches = gradient_batches(inputs, runs)
    tables = make_tables(inputs, runs)
    more = {
        "comparisons": comparison_tables(inputs.study, inputs.results),
        "paper": paper_tables(inputs.study, inputs.results),
        "ablations": ablation_tables(inputs.study, inputs.results),
    }
    pictures = make_pictures(inputs, runs, batches)
    rounds = hermesflow_section(study_dir, inputs.study, inputs.results)
    page = render_page(inputs, runs, batches, tables, more, pictures, rounds)
    if rounds is not None:
        write_files(study_dir, rounds.tables, rounds.pictures)
    every = [*tables.values(), *(table for group in more.values() for table in group.values())]
    write_files(study_dir, [table for table in every if table], [picture for picture in pictures.values() if picture])
    target = study_dir / "report.html"
    write_text(target, page)
    return target


def gradient_batches(inputs: Inputs, runs: Runs) -> Batches | None:
    """What histograms and layers show: the diagnosis of the untrained model, else the steps of naive joint training."""
    diagnosis = inputs.diagnosis
    if diagnosis is not None and diagnosis.total:
        return Batches(
            total=diagnosis.total,
            layers=[layers for layers in diagnosis.layers if layers],
            intra_understanding=diagnosis.intra_understanding,
            intra_generation=diagnosis.intra_generation,
            source="on the untrained model",
        )
    if runs.naive_total:
        label = inputs.study.method("naive_joint").label
        return Batches(
            total=runs.naive_total,
            layers=runs.naive_layers,
            source=f"along the training of {label}, since the study holds no diagnosis of the untrained model",
        )
    return None


def make_tables(inputs: Inputs, runs: Runs) -> dict[str, Table | None]:
    study, results = inputs.study, inputs.results
    return {
        "claims": claims_table(study, inputs.claims),
        "conditions": conditions_table(study, inputs.claims),
        "results": results_table(study, results) if study.primary_metrics else None,
        "secondary": secondary_table(study, results),
        "unfinished": cells_table(study),
        "training": training_table(study, results),
        "weights": weights_table(study, runs),
        "estimates": spread_table(study, runs),
        "diagnosis": diagnosis_table(inputs.diagnosis),
        "pairs": pairs_table(study),
        "settings": settings_table(study),
        "hyperparameters": hyperparameters_table(study),
        "moments": moments_table(study, results),
        "length": length_table(study, inputs.lengths),
    }


def make_pictures(inputs: Inputs, runs: Runs, batches: Batches | None) -> dict[str, Picture | None]:
    study, results = inputs.study, inputs.results
    return {
        "effects": figures.effects(study, results),
        "gradients": figures.histograms(batches) if batches else None,
        "dynamics": dynamics(study, runs),
        "layers": figures.per_layer(batches) if batches else None,
        "pareto": figures.pareto(study, results),
    }


def render_page(
    inputs: Inputs,
    runs: Runs,
    batches: Batches | None,
    tables: dict[str, Table | None],
    more: dict[str, dict[str, Table]],
    pictures: dict[str, Picture | None],
    rounds: Section | None,
) -> str:
    study = inputs.study
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    values: dict[str, Any] = {
        "study": study,
        "results": inputs.results,
        "gallery": inputs.gallery,
        "tables": tables,
        "more": more,
        "claims_sentence": claims_sentence(inputs.claims),
        "figures": {name: Markup(picture.inline) if picture else None for name, picture in pictures.items()},
        "hermesflow": rounds.html if rounds is not None else "",
        "batches": batches,
        "runs": runs,
        "statement": statement(inputs),
        "rule": RULE,
        "most_points": MOST_POINTS,
        "findings": findings(study, inputs.results),
        "gradient_sentences": gradient_sentences(inputs.results),
        "fall_sentence": fall_sentence(study, runs),
        "num_fallen": len({(fall.variant, fall.seed) for fall in runs.falls}),
        "noise_sentence": noise_sentence(study),
        "shown_settings": shown_settings(study, runs),
        "num_undeployable": sum(not method.deployable for method in study.methods),
        "labels": {method.name: method.label for method in study.methods},
        "light": css_variables(dark=False),
        "dark": css_variables(dark=True),
    }
    return environment.get_template("report.html.j2").render(values)


def noise_sentence(study: Study) -> str:
    """The step-0 margin noise, and what it means for a loss that stays at ln 2."""
    known = [f"{significant(value, 2)} for {task}" for task, value in study.margin_noise.items() if value is not None]
    if not known:
        return (
            "The noise of the margin at step 0 was not recorded; a loss that stays at ln 2 cannot be judged against it."
        )
    text = f"At step 0, where every margin is 0 by definition, the measured margin was off by {listed(known)}"
    beta = study.setting("beta")
    values = [value for value in study.margin_noise.values() if value is not None]
    if isinstance(beta, int | float) and not isinstance(beta, bool):
        text += f"; at β = {beta} that moves a loss by at most {significant(beta * max(map(abs, values)) / 2, 2)}"
    return f"{text}. A loss that stays at ln 2 is to be read against this noise."


def shown_settings(study: Study, runs: Runs) -> str:
    """Which setting the dynamics figure shows of methods that ran under several."""
    several = {cell.method for cell in study.cells if cell.setting != runs.settings[cell.method]}
    shown = {
        name: setting_text(runs.settings[name]) or "its default" for name in sorted(several) if name in runs.values
    }
    named = [f"{study.method(name).label}: {text}" for name, text in shown.items()]
    return f"Of methods that ran under several settings it shows one ({'; '.join(named)})." if named else ""
