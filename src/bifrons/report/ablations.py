"""What was varied beside the grid: one table a setting, each with the study's own setting for comparison."""

from __future__ import annotations

import json

from bifrons.report.inputs import SYMBOLS, Results, Study, Variant, ordered_variants
from bifrons.report.numbers import DASH, delta_text, mean_text, plain
from bifrons.report.table import Column, Datum, Entry, Note, Reasons, Table
from bifrons.report.tables import ARROWS, excludes_zero, method_entry, metric_decimals, record_of, row_of, seeds_of


def ablation_tables(study: Study, results: Results) -> dict[str, Table]:
    """Tables by their names; the variants of one set of setting keys stand in one table."""
    groups: dict[tuple[str, ...], list[Variant]] = {}
    for variant in ordered_variants(study, [row.variant for row in results.rows]):
        if variant.is_varied:
            groups.setdefault(tuple(sorted(key for key, _ in variant.setting)), []).append(variant)
    return {f"ablation_{'_'.join(keys)}": table(study, results, keys, found) for keys, found in groups.items()}


def table(study: Study, results: Results, keys: tuple[str, ...], variants: list[Variant]) -> Table:
    """Each method at the study's own setting first, where it was run, then as it was varied."""
    own = {row.variant for row in results.rows if not row.variant.setting}
    lines: list[Variant] = []
    for variant in sorted(variants, key=lambda v: [m.name for m in study.methods].index(v.method)):
        plain_one = Variant(variant.method, (), variant.round, variant.model)
        lines += [line for line in (plain_one,) if line in own and line not in lines] + [variant]
    metrics, reasons = study.primary_metrics, Reasons()
    columns = [Column("Method", numeric=False)]
    body = [[method_entry(study, line, seeds_of(results, line))] for line in lines]
    for metric in metrics:
        heading = f"{metric.label} {ARROWS[metric.direction]}"
        columns += [Column("Mean ± 95% CI", heading, opens=True), Column("Δ [95% CI]", heading)]
        rows = [row_of(study, results, line, metric) for line in lines]
        decimals = metric_decimals(rows)
        for entries, row in zip(body, rows, strict=True):
            if row.mean is None:
                entries += [Entry(DASH, marks=reasons.mark(row.reason)), Entry(DASH)]
                continue
            entries.append(Entry(mean_text(row.mean, row.ci95, decimals)))
            entries.append(Entry(delta_text(row.delta, row.delta_ci95, decimals), strong=excludes_zero(row)))
    for task in ("understanding", "generation"):
        columns.append(Column(task.capitalize(), "Final loss", opens=task == "understanding"))
        for entries, line in zip(body, lines, strict=True):
            entries.append(Entry(plain(final_loss(results, line, task), 4)))
    names = ", ".join(SYMBOLS.get(key, key.replace("_", " ")) for key in keys)
    return Table(
        name=f"ablation_{'_'.join(keys)}",
        caption=f"Other settings than the study's own: {names}. Differences Δ are from the base; rows without a "
        "setting are the study's own.",
        columns=tuple(columns),
        rows=tuple(tuple(entries) for entries in body),
        data=tuple(
            record_of(study, row_of(study, results, line, metric), None) | losses(results, line)
            for metric in metrics
            for line in lines
        ),
        notes=(*reasons.notes, Note("", "A final loss is the mean over seeds; an untrained DPO has ln 2 = 0.6931.")),
    )


def final_loss(results: Results, variant: Variant, task: str) -> float | None:
    values = [
        value for loss in results.training if loss.variant == variant and (value := getattr(loss, task)) is not None
    ]
    return sum(values) / len(values) if values else None


def losses(results: Results, variant: Variant) -> dict[str, Datum]:
    found: dict[str, Datum] = {f"loss_{t}": final_loss(results, variant, t) for t in ("understanding", "generation")}
    return found | {"setting": json.dumps(dict(variant.setting))}
