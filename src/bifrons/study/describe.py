"""What each method and metric is, in the words of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bifrons.evaluation import METRICS, Metric
from bifrons.study.cells import BASE
from bifrons.study.config import POST_HOC

METHODS: dict[str, tuple[str, str]] = {
    BASE: ("Base", "The model before training."),
    "understanding_only": ("Understanding only", "DPO on answers alone; the generation forward is not run."),
    "generation_only": ("Generation only", "DPO on drawings alone."),
    "naive_joint": ("Naive joint", "The sum of both losses, weights 1 and 1."),
    "pcgrad": ("PCGrad", "Each gradient loses what points against the other, then both are summed."),
    "gradient_weighted": (
        "Gradient-weighted",
        "Weights that give both tasks the same weighted gradient norm, held for K steps.",
    ),
    "gradient_weighted_smoothed": (
        "Gradient-weighted, smoothed",
        "The same from the median norms of the last K steps, within bounds.",
    ),
    "length_normalized": ("Length-normalised", "Static weights in the inverse ratio of response lengths."),
    "fixed_weight": (
        "Fixed weight",
        "The median weights of the second half of the gradient-weighted run, held from step 0.",
    ),
    "rewarded_soup": ("Rewarded soup", "The two single-task adapters interpolated; no further training."),
    "separate_lora": ("Separate LoRA", "Each face judged by its own single-task adapter; needs routing by task."),
}


def shown_metrics(evaluations: Sequence[Mapping[str, Any]]) -> list[Metric]:
    """All metrics, less the optional ones that no evaluation has a score of."""
    scores = [evaluation["scores"] for evaluation in evaluations if evaluation]
    return [
        metric
        for metric in METRICS.values()
        if not metric.optional
        or any(s[metric.name]["items"] or s[metric.name]["value"] is not None for s in scores if metric.name in s)
    ]


def describe_metrics(evaluations: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "name": m.name,
            "label": m.label,
            "direction": m.direction,
            "unit": m.unit,
            "task": m.task,
            "primary": m.primary,
            "description": m.description,
        }
        for m in shown_metrics(evaluations)
    ]


def describe_methods(names: list[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name in names:
        label, description = METHODS.get(name, (name, "A strategy of the user's own."))
        kind = "base" if name == BASE else "post_hoc" if name in POST_HOC else "train"
        deployable = name != "separate_lora"
        found.append({"name": name, "label": label, "kind": kind, "description": description, "deployable": deployable})
    return found
