"""Per-item scores to rows of statistics (study, section on statistics)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bifrons.evaluation import METRICS
from bifrons.protocol import Identity
from bifrons.records import read_json, write_json
from bifrons.stats import moments_of, summarise, welch_from_moments
from bifrons.study.cells import BASE
from bifrons.training import versions

if TYPE_CHECKING:
    from bifrons.study.run import Outcome

NUMBERS = ("mean", "std", "ci95", "delta", "delta_ci95", "welch_t", "p", "cohens_d")


def write_results(study: str, folder: Path, outcomes: list[Outcome], identity: Identity) -> None:
    """Write `results.json`: a row for each method, setting and metric, seeds pooled."""
    groups: dict[tuple[str, tuple[tuple[str, float], ...]], list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault((outcome.cell.method, outcome.cell.setting), []).append(outcome)
    base = [o for o in groups[BASE, ()] if o.status == "done"]
    rows = [
        row_of(identity.name, method, setting, metric, group, base)
        for (method, setting), group in groups.items()
        for metric in METRICS
    ]
    training = [
        {
            "method": o.cell.method,
            "seed": o.cell.seed,
            "setting": dict(o.cell.setting),
            **{k: read_json(folder / o.key / "record.json")[k] for k in ("loss_understanding", "loss_generation")},
        }
        for o in outcomes
        if o.cell.kind == "train" and o.status == "done"
    ]
    gradients = gradient_summary(folder / "diagnosis.json")
    write_json(
        folder / "results.json",
        {"study": study, "versions": versions(), "rows": rows, "gradients": gradients, "training": training},
    )


def row_of(
    model: str,
    method: str,
    setting: tuple[tuple[str, float], ...],
    metric: str,
    group: list[Outcome],
    base: list[Outcome],
) -> dict[str, Any]:
    done = [outcome for outcome in group if outcome.status == "done"]
    row: dict[str, Any] = {"model": model, "method": method, "metric": metric, "setting": dict(setting), "round": None}
    row |= {"seeds": [outcome.cell.seed for outcome in done], "n": 0, "reason": None, **dict.fromkeys(NUMBERS)}
    if not done:
        return row | {"reason": "; ".join(dict.fromkeys(o.reason for o in group)) or "not run"}
    found = [outcome.evaluation["scores"][metric] for outcome in done]
    values = [score["value"] for score in found if score["value"] is not None]
    if values:  # a metric of the whole set, such as F1: one value a seed
        mean = sum(values) / len(values)
        known = [v for o in base if (v := o.evaluation["scores"][metric]["value"]) is not None]
        delta = mean - sum(known) / len(known) if known and method != BASE else None
        std = moments_of(values).std if len(values) > 1 else None
        return row | {
            "mean": mean,
            "std": std,
            "n": len(values),
            "delta": delta,
            "reason": "one value a seed; no interval over items",
        }
    items = [value for score in found for value in score["items"].values()]
    if len(items) < 2:
        return row | {
            "n": len(items),
            "reason": next((s["reason"] for s in found if s["reason"]), "fewer than two items"),
        }
    summary = summarise(items)
    row |= {
        "mean": summary.mean,
        "std": summary.std,
        "n": summary.n,
        "ci95": [summary.interval.low, summary.interval.high],
    }
    base_items = [value for outcome in base for value in outcome.evaluation["scores"][metric]["items"].values()]
    if method == BASE or len(base_items) < 2:
        return row
    compared = welch_from_moments(moments_of(items), moments_of(base_items))
    interval = compared.interval
    return row | {
        "delta": compared.delta,
        "delta_ci95": None if interval is None else [interval.low, interval.high],
        "welch_t": compared.t,
        "p": compared.p,
        "cohens_d": compared.cohens_d,
        "reason": compared.reason or None,
    }


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
