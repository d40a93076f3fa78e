"""Per-item scores to rows of statistics (study, section on statistics)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bifrons.claims import pack_scores
from bifrons.records import read_json, write_json
from bifrons.stats import Interval, bonferroni, compare_items, holm, moments_of, summarise, welch_from_moments
from bifrons.study.cells import BASE
from bifrons.study.config import Setting, StudyConfig
from bifrons.study.describe import shown_metrics
from bifrons.training import versions

if TYPE_CHECKING:
    from bifrons.study.work import Outcome

NUMBERS = (
    "mean",
    "std",
    "standard_error",
    "ci95",
    "delta",
    "delta_ci95",
    "welch_t",
    "p",
    "cohens_d",
    "bonferroni_p",
    "holm_p",
    "num_comparisons",
    "paired_t",
    "paired_p",
    "paired_ci95",
    "bootstrap_ci95",
    "seed_std",
    "margin",
    "equivalence_p",
    "smallest_effect",
)
FAMILY = ("vqa_score", "clip_score_scenes", "clip_score", "pope_accuracy")  # the paper corrects over 9 methods x 3
Group = tuple[str, str, Setting]


def write_results(study: str, config: StudyConfig, folder: Path, outcomes: list[Outcome]) -> None:
    """Write `results.json`, a row for each model, method, setting and metric, seeds pooled; and `items.json`."""
    groups: dict[Group, list[Outcome]] = {}
    for outcome in outcomes:
        cell = outcome.cell
        groups.setdefault((cell.model, cell.method, cell.shown), []).append(outcome)
    metrics = [metric.name for metric in shown_metrics([outcome.evaluation for outcome in outcomes])]
    rows = [
        row_of(group, metric, found, groups[group[0], BASE, ()], config.margin)
        for group, found in groups.items()
        for metric in metrics
    ]
    varied = {(o.cell.model, o.cell.method, o.cell.shown) for o in outcomes if o.cell.setting}
    for model in config.all_models:
        of_model = [row for row in rows if row["model"] == model and row["metric"] in FAMILY and row["p"] is not None]
        for own in (True, False):  # the grid is one family of tests, what is varied beside it another
            correct([r for r in of_model if ((model, r["method"], tuple(r["setting"].items())) not in varied) == own])
    training = [
        {
            "model": o.cell.model,
            "method": o.cell.method,
            "seed": o.cell.seed,
            "setting": dict(o.cell.shown),
            **{k: read_json(folder / o.key / "record.json")[k] for k in ("loss_understanding", "loss_generation")},
        }
        for o in outcomes
        if o.cell.kind == "train" and o.status == "done"
    ]
    scored = [
        {"model": o.cell.model, "method": o.cell.method, "setting": dict(o.cell.shown), "seed": o.cell.seed}
        | {"scores": o.evaluation["scores"]}
        for o in outcomes
        if o.status == "done"
    ]
    write_json(folder / "items.json", pack_scores(scored))
    gradients = gradient_summary(folder / "diagnosis.json")
    write_json(
        folder / "results.json",
        {"study": study, "versions": versions(), "rows": rows, "gradients": gradients, "training": training},
    )


def row_of(group: Group, metric: str, outcomes: list[Outcome], base: list[Outcome], margin: float) -> dict[str, Any]:
    model, method, setting = group
    done = [outcome for outcome in outcomes if outcome.status == "done"]
    row: dict[str, Any] = {"model": model, "method": method, "metric": metric, "setting": dict(setting), "round": None}
    row |= {"seeds": [outcome.cell.seed for outcome in done], "n": 0, "reason": None, **dict.fromkeys(NUMBERS)}
    if not done:
        return row | {"reason": "; ".join(dict.fromkeys(o.reason for o in outcomes)) or "not run"}
    found = [score for outcome in done if (score := outcome.evaluation["scores"].get(metric)) is not None]
    if not found:
        return row | {"reason": "the stored evaluation does not hold this metric"}
    base_found = [
        o.evaluation["scores"][metric] for o in base if o.status == "done" and metric in o.evaluation["scores"]
    ]
    values = [score["value"] for score in found if score["value"] is not None]
    if values:  # a metric of the whole set, such as F1: one value a seed
        mean = sum(values) / len(values)
        known = [score["value"] for score in base_found if score["value"] is not None]
        return row | {
            "mean": mean,
            "std": moments_of(values).std if len(values) > 1 else None,
            "n": len(values),
            "delta": mean - sum(known) / len(known) if known and method != BASE else None,
            "reason": "one value a seed; no interval over items",
        }
    items = [value for score in found for value in score["items"].values()]
    if len(items) < 2:
        why = next((s["reason"] for s in found if s["reason"]), "fewer than two items")
        return row | {"n": len(items), "reason": why}
    summary = summarise(items)
    row |= {
        "mean": summary.mean,
        "std": summary.std,
        "n": summary.n,
        "standard_error": summary.standard_error,
        "ci95": ends(summary.interval),
    }
    base_items = [value for score in base_found for value in score["items"].values()]
    if method == BASE:
        return row
    if len(base_items) < 2:
        return row | {"reason": "the base has fewer than two items, so there is nothing to compare with"}
    compared = welch_from_moments(moments_of(items), moments_of(base_items))
    row |= {
        "delta": compared.delta,
        "delta_ci95": ends(compared.interval),
        "welch_t": compared.t,
        "p": compared.p,
        "cohens_d": compared.cohens_d,
        "reason": compared.reason,
    }
    try:
        pairs = compare_items([s["items"] for s in found], [s["items"] for s in base_found], margin=margin)
    except ValueError as error:
        return row | {"reason": str(error)}
    return row | {
        "paired_t": pairs.t,
        "paired_p": pairs.p,
        "paired_ci95": ends(pairs.interval),
        "bootstrap_ci95": ends(pairs.bootstrap),
        "seed_std": pairs.seed_std,
        "margin": pairs.margin,
        "equivalence_p": pairs.equivalence_p,
        "smallest_effect": pairs.smallest_effect,
        "reason": row["reason"] or pairs.reason,
    }


def correct(rows: list[dict[str, Any]]) -> None:
    """Bonferroni and Holm over one family of Welch tests, written into the rows."""
    p_values = [row["p"] for row in rows]
    for row, wide, step in zip(rows, bonferroni(p_values), holm(p_values), strict=True):
        row |= {"bonferroni_p": wide, "holm_p": step, "num_comparisons": len(rows)}


def ends(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]


def gradient_summary(path: Path) -> dict[str, Any]:
    """Mean, standard deviation and n of cosine and ratio over the mini-batches of the diagnosis; null without one."""
    if not path.is_file():
        return {"cosine": None, "generation_over_understanding": None}
    from bifrons.records import Gramian

    batches = [Gramian(b["uu"], b["ug"], b["gg"]) for b in read_json(path)["inter_task"]]
    found: dict[str, Any] = {}
    for name in ("cosine", "generation_over_understanding"):
        values = [value for gramian in batches if (value := getattr(gramian, name)) is not None]
        if len(values) < 2:
            found[name] = None
            continue
        moments = moments_of(values)
        found[name] = {"mean": moments.mean, "std": moments.std, "n": moments.n}
    return found
