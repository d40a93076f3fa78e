"""Tables 8 and 9 of the paper, and the tests that a negative result needs beside them: one table a primary metric."""

from __future__ import annotations

from bifrons.report.inputs import Metric, Results, Study
from bifrons.report.numbers import DASH, interval_text, p_value, plain, signed
from bifrons.report.published import published, published_effect
from bifrons.report.table import Column, Entry, Note, Reasons, Table
from bifrons.report.tables import grid_variants, method_entry, metric_decimals, record_of, row_of

WELCH_NOTE = (
    "Welch takes all answers of all seeds as independent, as the paper does. Bonferroni and Holm correct Welch's p "
    "over all methods and the metrics of the paper. The paired test is over the same items, each a mean over seeds; "
    "the two-way interval draws items and seeds anew; beside it the standard deviation of the seeds' differences."
)
EQUIVALENCE_NOTE = (
    "Equivalence: p of two one-sided tests that the difference is smaller than the margin, which stood in the study "
    "file before the run. Smallest effect: what the paired test finds with a power of 80%. Where neither test is below "
    "0.05 nothing is decided, and effects smaller than that cannot be told here."
)


def comparison_tables(study: Study, results: Results) -> dict[str, Table]:
    """By name, for the primary metrics that were compared over items."""
    made = {f"tests_{metric.name}": table(study, results, metric) for metric in study.primary_metrics}
    return {name: found for name, found in made.items() if found is not None}


def table(study: Study, results: Results, metric: Metric) -> Table | None:
    variants = [v for v in grid_variants(study, results) if study.method(v.method).kind != "base"]
    rows = [row_of(study, results, variant, metric) for variant in variants]
    if not any(row.paired_p is not None or row.equivalence_p is not None for row in rows):
        return None
    decimals, reasons = metric_decimals(rows), Reasons()
    known = {row["method"]: row for row in published()["table8_vqa_welch_7b"]} if metric.name == "vqa_score" else {}
    with_published = any(published_effect(metric.name, variant) for variant in variants)
    body: list[tuple[Entry, ...]] = []
    for variant, row in zip(variants, rows, strict=True):
        effect = published_effect(metric.name, variant)
        there = known.get(variant.method, {})
        missing = row.mean is None or (row.paired_p is None and bool(row.reason))
        two_way = DASH if row.bootstrap_ci95 is None else interval_text(row.bootstrap_ci95, decimals)
        beside = (
            Entry(signed(effect.delta_7b, 3) if effect else ""),
            Entry(plain(there.get("t"), 2) if there else ""),
            Entry(p_value(there.get("p")) if there else ""),
            Entry(signed(effect.cohens_d_7b, 2) if effect else ""),
        )
        body.append(
            (
                method_entry(study, variant),
                Entry(signed(row.delta, decimals), marks=reasons.mark(row.reason) if missing else ""),
                Entry(signed(row.welch_t, 2)),
                Entry(p_value(row.p)),
                Entry(p_value(row.bonferroni_p)),
                Entry(p_value(row.holm_p)),
                Entry(signed(row.cohens_d, 2)),
                Entry(p_value(row.paired_p)),
                Entry(two_way),
                Entry(plain(row.seed_std, decimals)),
                Entry(p_value(row.equivalence_p), strong=row.equivalence_p is not None and row.equivalence_p < 0.05),
                Entry(plain(row.margin, decimals)),
                Entry(plain(row.smallest_effect, decimals)),
                *(beside if with_published else ()),
            )
        )
    groups = (
        ("Welch", ("Δ", "t", "p", "Bonferroni", "Holm", "d")),
        ("Same items", ("paired p", "two-way 95% CI", "SD of seeds")),
        ("Equivalence", ("p", "margin", "smallest effect")),
    )
    columns = [Column("Method", numeric=False)]
    columns += [Column(n, group, opens=n == names[0]) for group, names in groups for n in names]
    if with_published:
        columns += [Column(n, "Published, 7B", published=True, opens=n == "Δ") for n in ("Δ", "|t|", "p", "d")]
    return Table(
        name=f"tests_{metric.name}",
        caption=f"{metric.label}: tests of the difference from base. (Tables 8 and 9 of arXiv 2603.17044.)",
        columns=tuple(columns),
        rows=tuple(body),
        data=tuple(record_of(study, row, published_effect(metric.name, row.variant)) for row in rows),
        notes=(Note("", WELCH_NOTE), Note("", EQUIVALENCE_NOTE), *reasons.notes),
    )
