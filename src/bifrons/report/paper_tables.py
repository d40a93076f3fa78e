"""The paper's other tables, each with what was measured here beside what was published: as differences from base."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bifrons.report.inputs import Results, Study, Variant, variant_details
from bifrons.report.numbers import DASH, delta_text, mean_text, plain, signed
from bifrons.report.published import published
from bifrons.report.table import Column, Datum, Entry, Note, Reasons, Table
from bifrons.report.tables import excludes_zero, grid_variants, metric_decimals, row_of

PUBLISHED_RANK = {"training.rank": "lora_rank", "training.alpha": "lora_alpha", "training.dropout": "lora_dropout"}
SETTINGS = PUBLISHED_RANK | {
    "training.weight_decay": "weight_decay",
    "training.clip": "clip_norm",
    "training.steps": "steps",
    "training.pairs_per_step": "batch_size",
    "training.beta": "beta",
    "training.learning_rate": "learning_rate",
}


@dataclass(frozen=True, slots=True)
class Beside:
    """A measured metric and the key of its published counterpart; the first of `metrics` that the study has is it."""

    label: str
    metrics: tuple[str, ...]
    key: str = ""
    decimals: int = 3


@dataclass(frozen=True, slots=True)
class Line:
    """A row: a variant that was measured, and the published row beside it, if any."""

    variant: Variant
    published: Mapping[str, Any]


SCORES = (
    Beside("VQA score", ("vqa_score",), "vqa_score"),
    Beside("CLIP score", ("clip_score", "clip_score_scenes"), "clip_score"),
)
QUALITY = (
    Beside("FID", ("fid", "fid_scenes"), "fid", 1),
    Beside("Preference score", ("pick_score", "preference_score_scenes"), "pickscore", 2),
    Beside("LPIPS diversity", ("lpips_diversity", "lpips_diversity_scenes"), "lpips_diversity"),
)
ANSWERS = (Beside("Answers right", ("vqa_accuracy", "vqa_soft_accuracy", "answer_accuracy"), "accuracy"),)
LENGTH_FREE = (
    Beside("VQA score without length", ("vqa_score_length_free",), "vqa_length_free"),
    Beside("Words", ("response_length",), "words", 1),
)


def paper_tables(study: Study, results: Results) -> dict[str, Table]:
    """By name; a table is left out where the study measures nothing of it."""
    kl = tuple(Beside(metric.label, (metric.name,)) for metric in study.metrics if metric.name.startswith("kl_"))
    right = {m: {"accuracy": v} for m, v in published()["table11_vqav2_7b"].items() if isinstance(v, float)}
    quality, length_free = by_method("table10_generation_7b"), by_method("table15_length_controlled_7b")
    divergence = "Divergence of the trained policy from its reference, teacher-forced on chosen responses, in nats"
    kinds = "Kind and number of the generation pairs"
    made: tuple[tuple[str, str, str, Sequence[Beside], list[Line]], ...] = (
        ("beta", "Beta of gradient weighting", "Table 5", SCORES, beta_lines(study, results)),
        ("kl", divergence, "Table 6, whose figures are lost", kl, lines(study, results, {})),
        ("generation_quality", "Drawings by other measures", "Table 10", QUALITY, lines(study, results, quality)),
        ("answers", "Exact answers", "Table 11", ANSWERS, lines(study, results, right)),
        ("generation_data", kinds, "Tables 13 and 14", SCORES, data_lines(study, results)),
        ("length_free", "The score without length", "Table 15", LENGTH_FREE, lines(study, results, length_free)),
    )
    found = {
        name: beside(study, results, name, f"{what}. ({where} of arXiv 2603.17044.)", columns, every)
        for name, what, where, columns, every in made
    }
    return {name: table for name, table in found.items() if table is not None}


def by_method(name: str) -> dict[str, dict[str, Any]]:
    return {row["method"]: row for row in published()[name]}


def lines(study: Study, results: Results, known: Mapping[str, Mapping[str, Any]]) -> list[Line]:
    """The grid's variants of the study's own model; the paper's soups were sampled otherwise and have no row here."""
    own = [v for v in grid_variants(study, results) if v.model in ("", study.model)]
    return [Line(variant, known.get(variant.method, {})) for variant in own]


def beta_lines(study: Study, results: Results) -> list[Line]:
    """Gradient weighting at each beta that was run, the study's own among them; the base has Table 1's figures."""
    known = {row["beta"]: row for row in published()["table5_beta_gradient_weighted_7b"]}
    found = {
        dict(row.variant.setting).get("beta", study.setting("beta")): row.variant
        for row in results.rows
        if row.variant.method == "gradient_weighted"
        and set(dict(row.variant.setting)) <= {"beta"}
        and row.variant.model in ("", study.model)
    }
    if len(found) < 2:
        return []
    base = Line(base_variant(results), published()["table1"]["base"]["janus_pro_7b"])
    return [base, *(Line(found[beta], known.get(beta, {})) for beta in sorted(found))]


def data_lines(study: Study, results: Results) -> list[Line]:
    """Generation alone on each kind and number of pairs that was run."""
    own = {key: study.setting(key) for key in ("generation_kind", "max_generation")}
    known = {
        (
            row["data"]
            .replace("real_vs_generated", "real_against_generated")
            .replace("model_vs_model", "model_against_model"),
            row["pairs"],
        ): row
        for row in published()["table14_scaling_7b"]
    }
    found: dict[tuple[str, int], Variant] = {}
    for row in results.rows:
        setting = dict(row.variant.setting)
        if row.variant.method != "generation_only" or row.variant.model not in ("", study.model):
            continue
        if set(setting) <= {"generation_kind", "max_generation", "generation_prompts", "steps"}:
            data = own | setting
            if data["max_generation"] is not None:
                found.setdefault((str(data["generation_kind"]), int(data["max_generation"])), row.variant)
    if len(found) < 2:
        return []
    base = Line(base_variant(results), known["none", 0])
    return [base, *(Line(variant, known.get(key, {})) for key, variant in sorted(found.items()))]


def base_variant(results: Results) -> Variant:
    return next((row.variant for row in results.rows if row.variant.method == "base"), Variant("base"))


def beside(
    study: Study,
    results: Results,
    name: str,
    caption: str,
    wanted: Sequence[Beside],
    every: Sequence[Line],
) -> Table | None:
    """Measured mean and difference, and the published difference, for each metric that the study has."""
    by_name = {metric.name: metric for metric in study.metrics}
    shown = [(column, by_name[m]) for column in wanted if (m := next((n for n in column.metrics if n in by_name), ""))]
    if not shown or not every:
        return None
    base = next((line.published for line in every if line.variant.method == "base"), {})
    reasons = Reasons()
    body = [[Entry(study.method(x.variant.method).label, small=variant_details(study, x.variant))] for x in every]
    columns = [Column("Method", numeric=False)]
    data: list[dict[str, Datum]] = []
    for column, metric in shown:
        rows = [row_of(study, results, line.variant, metric) for line in every]
        decimals = metric_decimals(rows)
        with_published = column.key != "" and base.get(column.key) is not None
        columns += [Column("Mean ± 95% CI", metric.label, opens=True), Column("Δ [95% CI]", metric.label)]
        if with_published:
            columns += [Column("Δ, 7B", f"{column.label}, published", published=True)]
        for entries, line, row in zip(body, every, rows, strict=True):
            if row.mean is None:
                entries += [Entry(DASH, marks=reasons.mark(row.reason)), Entry(DASH)]
            else:
                entries.append(Entry(mean_text(row.mean, row.ci95, decimals)))
                entries.append(
                    Entry(
                        "" if line.variant.method == "base" else delta_text(row.delta, row.delta_ci95, decimals),
                        strong=excludes_zero(row),
                    )
                )
            there = line.published.get(column.key) if with_published else None
            change = None if there is None else there - base[column.key]
            if with_published:
                own = line.variant.method == "base"
                entries.append(Entry("" if own or there is None else signed(change, column.decimals)))
            data.append(
                {
                    "method": line.variant.method,
                    "setting": json.dumps(dict(line.variant.setting)),
                    "metric": metric.name,
                    "mean": row.mean,
                    "delta": row.delta,
                    "cohens_d": row.cohens_d,
                    "published_janus_pro_7b": there,
                    "published_janus_pro_7b_delta": change,
                }
            )
    notes = (
        [Note("", "Published: Janus-Pro 7B, difference from its own base.")]
        if len(columns) > 1 + 2 * len(shown)
        else []
    )
    return Table(
        name=name,
        caption=caption,
        columns=tuple(columns),
        rows=tuple(tuple(entries) for entries in body),
        data=tuple(data),
        notes=(*notes, *reasons.notes),
    )


def hyperparameters_table(study: Study) -> Table | None:
    """Table 2 of the paper beside the settings of this study."""
    known = published()["table2_hyperparameters"]
    rows = [(key, study.settings[key], known[name]) for key, name in SETTINGS.items() if key in study.settings]
    if not rows:
        return None
    return Table(
        name="hyperparameters",
        caption="Training settings of this study and of the paper. (Table 2 of arXiv 2603.17044.)",
        columns=(Column("Setting", numeric=False), Column("Here"), Column("Published", published=True)),
        rows=tuple(
            (
                Entry(key.rpartition(".")[2].replace("_", " ")),
                Entry(str(here)),
                Entry("lost" if there is None else str(there)),
            )
            for key, here, there in rows
        ),
        data=tuple({"setting": key, "here": here, "published": there} for key, here, there in rows),
        notes=(Note("", "The paper's learning rate is not in our copy."),),
    )


def moments_table(study: Study, results: Results) -> Table | None:
    """Tables 4 and 7 of the paper: mean, standard deviation, n, standard error and interval."""
    variants = grid_variants(study, results)
    columns = [Column("Method", numeric=False)]
    body = [[Entry(study.method(v.method).label, small=variant_details(study, v))] for v in variants]
    data: list[dict[str, Datum]] = []
    for metric in study.primary_metrics:
        columns += [Column(name, metric.label, opens=name == "Mean") for name in ("Mean", "SD", "n", "SE", "95% CI")]
        for entries, variant in zip(body, variants, strict=True):
            row = row_of(study, results, variant, metric)
            interval = DASH if row.ci95 is None else f"[{plain(row.ci95[0], 3)},\u00a0{plain(row.ci95[1], 3)}]"
            entries += [Entry(plain(row.mean, 3)), Entry(plain(row.std, 3))]
            entries += [
                Entry(DASH if row.n is None else f"{row.n:,}"),
                Entry(plain(row.standard_error, 3)),
                Entry(interval),
            ]
            data.append(
                {"method": variant.method, "setting": json.dumps(dict(variant.setting)), "metric": metric.name}
                | {"mean": row.mean, "std": row.std, "n": row.n, "standard_error": row.standard_error}
            )
    if not study.primary_metrics:
        return None
    return Table(
        name="moments",
        caption="Moments of the primary metrics, seeds pooled. (Tables 4 and 7 of arXiv 2603.17044.)",
        columns=tuple(columns),
        rows=tuple(tuple(entries) for entries in body),
        data=tuple(data),
    )
