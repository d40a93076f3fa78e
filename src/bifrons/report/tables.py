"""The two result tables: primary metrics with the published figures beside them, and secondary metrics."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from bifrons.report.inputs import Cell, Metric, Results, Row, Study, Variant, ordered_variants, variant_details
from bifrons.report.numbers import (
    DASH,
    decimals_for,
    delta_text,
    half_width,
    interval_text,
    mean_text,
    p_value,
    signed,
)
from bifrons.report.published import PublishedEffect, published_effect
from bifrons.report.table import Column, Datum, Entry, Note, Reasons, Table

ARROWS = {"higher": "↑", "lower": "↓", "neither": ""}


def excludes_zero(row: Row) -> bool:
    return row.delta_ci95 is not None and not row.delta_ci95[0] <= 0 <= row.delta_ci95[1]


def all_variants(study: Study, results: Results) -> list[Variant]:
    """Every variant with a row, and every method without one."""
    variants = [row.variant for row in results.rows]
    silent = [
        Variant(method.name) for method in study.methods if method.name not in {variant.method for variant in variants}
    ]
    return ordered_variants(study, variants + silent)


def grid_variants(study: Study, results: Results) -> list[Variant]:
    """The variants of the grid itself, without those under other settings."""
    return [variant for variant in all_variants(study, results) if not variant.is_varied]


def row_of(study: Study, results: Results, variant: Variant, metric: Metric) -> Row:
    """A variant's row of one metric; one without data and with the reason where the study has none."""
    for row in results.rows:
        if row.variant == variant and row.metric == metric.name:
            return (
                row
                if row.mean is not None or row.reason
                else Row(variant=variant, metric=row.metric, reason=why(study, variant))
            )
    return Row(variant=variant, metric=metric.name, reason=why(study, variant))


def why(study: Study, variant: Variant) -> str:
    """Why a variant has no data: how its unfinished cells ended."""
    unfinished = [cell for cell in cells_of(study, variant) if cell.status != "done"]
    return "; ".join(dict.fromkeys(cell.reason or f"its cell is {cell.status}" for cell in unfinished))


def cells_of(study: Study, variant: Variant) -> list[Cell]:
    """The cells of a variant's method and model, whatever their setting."""
    model = variant.model or study.model
    return [c for c in study.cells if c.method == variant.method and (c.model or study.model) == model]


def metric_decimals(rows: Sequence[Row]) -> int:
    return decimals_for(half_width(row.ci95) for row in rows if row.ci95 is not None)


def method_entry(study: Study, variant: Variant, seeds: Sequence[int] | None = None) -> Entry:
    """A row's heading: the label, and what a reader must not miss: setting, kind, and seeds that are missing."""
    method = study.method(variant.method)
    tags = (
        [variant_details(study, variant)]
        + ["post hoc"] * (method.kind == "post_hoc")
        + ["not deployable"] * (not method.deployable)
    )
    asked = {cell.seed for cell in cells_of(study, variant) if cell.setting == variant.setting}
    if seeds and len(seeds) < len(asked):
        tags.append(f"{len(seeds)} of {len(asked)} seeds")
    return Entry(method.label, small=", ".join(tag for tag in tags if tag))


def seeds_of(results: Results, variant: Variant) -> list[int]:
    return sorted({seed for row in results.rows if row.variant == variant for seed in row.seeds})


def results_table(study: Study, results: Results) -> Table:
    """The main table: every method and variant, every primary metric, the published effects in their own columns."""
    metrics = study.primary_metrics
    variants = grid_variants(study, results)
    reasons = Reasons()
    rows = {metric.name: [row_of(study, results, variant, metric) for variant in variants] for metric in metrics}
    effects = {metric.name: [published_effect(metric.name, variant) for variant in variants] for metric in metrics}
    columns = [Column("Method", numeric=False)]
    body = [[method_entry(study, variant, seeds_of(results, variant))] for variant in variants]
    for metric in metrics:
        heading = f"{metric.label} {ARROWS[metric.direction]}"
        names = ("Mean ± 95% CI", "Δ [95% CI]", "d", "p", "n")
        columns += [Column(name, heading, opens=name == names[0]) for name in names]
        decimals = metric_decimals(rows[metric.name])
        for line, row in zip(body, rows[metric.name], strict=True):
            line += measured_entries(study, row, decimals, reasons)
        if any(effects[metric.name]):
            names = ("7B Δ", "7B d", "1B Δ")
            columns += [Column(name, "Published, Janus-Pro", published=True, opens=name == names[0]) for name in names]
            for line, effect in zip(body, effects[metric.name], strict=True):
                line += published_entries(effect)
    data = [
        record_of(study, row, effect)
        for metric in metrics
        for row, effect in zip(rows[metric.name], effects[metric.name], strict=True)
    ]
    return Table(
        name="results",
        caption="Primary metrics: mean, difference Δ from base, Cohen's d, Welch's p, and items n. ↑ higher is better, "
        "↓ lower is better. A bold difference has a 95% interval that excludes 0.",
        columns=tuple(columns),
        rows=tuple(tuple(line) for line in body),
        data=tuple(data),
        notes=tuple(published_notes(metrics, effects) + reasons.notes),
    )


def measured_entries(study: Study, row: Row, decimals: int, reasons: Reasons) -> list[Entry]:
    if row.mean is None:
        return [Entry(DASH, marks=reasons.mark(row.reason))] + [Entry(DASH)] * 4
    mean = Entry(mean_text(row.mean, row.ci95, decimals))
    n = Entry(DASH if row.n is None else f"{row.n:,}")
    if row.delta is None:
        is_base = study.method(row.variant.method).kind == "base"
        return [mean, Entry("" if is_base else DASH), Entry("" if is_base else DASH), Entry("" if is_base else DASH), n]
    interval = "" if row.delta_ci95 is None else interval_text(row.delta_ci95, decimals)
    delta = Entry(signed(row.delta, decimals), small=interval, strong=excludes_zero(row))
    return [mean, delta, Entry(signed(row.cohens_d, 2)), Entry(p_value(row.p)), n]


def published_entries(effect: PublishedEffect | None) -> list[Entry]:
    if effect is None:
        return [Entry("")] * 3
    mark = "" if effect.comparable else "†"
    texts = [signed(effect.delta_7b, 3), signed(effect.cohens_d_7b, 2), signed(effect.delta_1b, 3)]
    return [Entry(text, marks=mark if text != DASH else "") for text in texts]


def published_notes(metrics: Sequence[Metric], effects: dict[str, list[PublishedEffect | None]]) -> list[Note]:
    shown = [effect for metric in metrics for effect in effects[metric.name] if effect is not None]
    without = [metric.label for metric in metrics if not any(effects[metric.name])]
    notes = []
    if shown:
        text = (
            "Published columns are the figures of arXiv 2603.17044 for Janus-Pro 7B and 1B on that paper's own data "
            "and scorers: differences from its base, and Cohen's d from the moments of its Table 4 (none for 1B). "
            "Nothing in them was measured here."
        )
        notes.append(Note("", text))
    if not all(effect.comparable for effect in shown):
        text = (
            "One published soup of several, its coefficient not known to us, sampled at a higher temperature and on "
            "fewer samples than the base it is compared with: not comparable."
        )
        notes.append(Note("†", text))
    if shown and without:
        notes.append(Note("", f"No published counterpart: {', '.join(without)}."))
    return notes


def secondary_table(study: Study, results: Results) -> Table | None:
    """Every metric that is not primary, one column each; None where the study has none."""
    metrics = tuple(metric for metric in study.metrics if not metric.primary)
    if not metrics:
        return None
    variants = grid_variants(study, results)
    reasons = Reasons()
    rows = {metric.name: [row_of(study, results, variant, metric) for variant in variants] for metric in metrics}
    body = [[method_entry(study, variant, seeds_of(results, variant))] for variant in variants]
    for metric in metrics:
        decimals = metric_decimals(rows[metric.name])
        for line, row in zip(body, rows[metric.name], strict=True):
            if row.mean is None:
                line.append(Entry(DASH, marks=reasons.mark(row.reason)))
                continue
            small = "" if row.delta is None else f"Δ {delta_text(row.delta, row.delta_ci95, decimals)}"
            line.append(Entry(mean_text(row.mean, row.ci95, decimals), small=small, strong=excludes_zero(row)))
    return Table(
        name="secondary",
        caption="Secondary metrics: mean ± half of the 95% interval, and under it the difference Δ from base with its "
        "95% interval; bold where that interval excludes 0.",
        columns=(
            Column("Method", numeric=False),
            *(Column(f"{metric.label} {ARROWS[metric.direction]}".strip()) for metric in metrics),
        ),
        rows=tuple(tuple(line) for line in body),
        data=tuple(record_of(study, row, None) for metric in metrics for row in rows[metric.name]),
        notes=tuple(reasons.notes),
    )


def record_of(study: Study, row: Row, effect: PublishedEffect | None) -> dict[str, Datum]:
    """A row unrounded, as one line of CSV."""
    method = study.method(row.variant.method)
    low, high = row.ci95 or (None, None)
    delta_low, delta_high = row.delta_ci95 or (None, None)
    record: dict[str, Datum] = {
        "model": row.variant.model or study.model,
        "method": method.name,
        "kind": method.kind,
        "deployable": str(method.deployable).lower(),
        "setting": json.dumps(dict(row.variant.setting)),
        "round": row.variant.round,
        "metric": row.metric,
        "seeds": " ".join(str(seed) for seed in row.seeds),
        "mean": row.mean,
        "std": row.std,
        "n": row.n,
        "ci95_low": low,
        "ci95_high": high,
        "delta": row.delta,
        "delta_ci95_low": delta_low,
        "delta_ci95_high": delta_high,
        "welch_t": row.welch_t,
        "p": row.p,
        "cohens_d": row.cohens_d,
        "standard_error": row.standard_error,
        "bonferroni_p": row.bonferroni_p,
        "holm_p": row.holm_p,
        "paired_p": row.paired_p,
        "bootstrap_ci95_low": (row.bootstrap_ci95 or (None, None))[0],
        "bootstrap_ci95_high": (row.bootstrap_ci95 or (None, None))[1],
        "seed_std": row.seed_std,
        "margin": row.margin,
        "equivalence_p": row.equivalence_p,
        "smallest_effect": row.smallest_effect,
        "reason": "" if row.mean is not None else row.reason,
    }
    if study_metric_is_primary(study, row.metric):
        names = ("delta_7b", "cohens_d_7b", "delta_1b")
        values = asdict(effect) if effect else {}
        record |= {f"published_janus_pro_{name}": values.get(name) for name in names}
        record["published_comparable"] = str(effect.comparable).lower() if effect else ""
    return record


def study_metric_is_primary(study: Study, name: str) -> bool:
    return any(metric.primary for metric in study.metrics if metric.name == name)
