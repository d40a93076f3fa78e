"""The figures that a condition is about, each with its intervals, from stored records."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bifrons.claims.records import Records
from bifrons.claims.rules import STATISTICS, Condition
from bifrons.records import Gramian
from bifrons.stats import compare_items, moments_of, smallest_detectable_one_sample, summarise

Statistic = Callable[[Records, Condition, str, str], "list[Figure]"]
PARTS = 20  # a run is cut into so many parts, whose means are taken as independent
RESAMPLES = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A statistic with its 95% interval and the 90% one of the equivalence test, all in one unit.

    `how` says what the interval is over. Without an interval `reason` says why; a point (`low` and `high` equal
    `value`) is a figure that has none by its nature.
    """

    name: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    narrow_low: float | None = None
    narrow_high: float | None = None
    margin: float | None = None
    smallest_effect: float | None = None
    seed_std: float | None = None
    n: int = 0
    how: str = ""
    reason: str = ""


def figures(records: Records, condition: Condition, margin: float) -> list[Figure]:
    """One figure a method (a layer for `layer_cosines`); `margin` is the study's, in standard deviations."""
    model = condition.model or records.model
    names = condition.methods or ("",)
    if condition.of in STATISTICS:
        found = [figure for name in names for figure in KINDS[condition.of](records, condition, model, name)]
        return [with_margin(figure, condition.margin) for figure in found]
    return [metric_figure(records, condition, model, name, condition.margin or margin) for name in names]


def with_margin(figure: Figure, margin: float | None) -> Figure:
    return replace(figure, margin=margin)


def metric_figure(records: Records, condition: Condition, model: str, method: str, margin: float) -> Figure:
    name = method if not condition.other else f"{method} - {condition.other}"
    runs = records.runs(model, method, condition.setting, condition.of)
    if not runs:
        return Figure(name=name, reason=records.why_missing(model, method, condition.setting))
    values = [run.value for run in runs if run.value is not None]
    if not condition.other:
        found = level(name, values) if values else items_level(name, [run.items for run in runs])
        return with_margin(found, condition.margin)
    others = records.runs(model, condition.other, condition.against_setting, condition.of)
    if not others:
        return Figure(name=name, reason=records.why_missing(model, condition.other, condition.against_setting))
    if values:
        return whole_set_difference(name, values, [run.value for run in others if run.value is not None], margin)
    base = records.runs(model, "base", {}, condition.of)
    try:
        unit = moments_of([*over_runs([run.items for run in base]).values()]).std if base else None
        compared = compare_items([r.items for r in runs], [r.items for r in others], margin=margin, spread=unit)
    except ValueError as error:
        return Figure(name=name, reason=str(error))
    if compared.interval is None or compared.bootstrap is None:
        return Figure(name=name, value=compared.delta, n=compared.num_items, reason=compared.reason or "no interval")
    assert compared.narrow is not None and compared.bootstrap_narrow is not None
    return Figure(
        name=name,
        value=compared.delta,
        low=min(compared.interval.low, compared.bootstrap.low),
        high=max(compared.interval.high, compared.bootstrap.high),
        narrow_low=min(compared.narrow.low, compared.bootstrap_narrow.low),
        narrow_high=max(compared.narrow.high, compared.bootstrap_narrow.high),
        margin=compared.margin,
        smallest_effect=compared.smallest_effect,
        seed_std=compared.seed_std,
        n=compared.num_items,
        how=f"{compared.num_items} items and {count(compared.num_seeds, 'seed')}: "
        "the wider of paired t and two-way bootstrap",
        reason=compared.reason or "",
    )


def over_runs(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Each item's mean over the runs that have it."""
    every: dict[str, list[float]] = {}
    for run in runs:
        for item, value in run.items():
            every.setdefault(item, []).append(value)
    return {item: statistics.fmean(values) for item, values in every.items()}


def items_level(name: str, runs: Sequence[Mapping[str, float]]) -> Figure:
    values = list(over_runs(runs).values())
    if len(values) < 2:
        return Figure(name=name, n=len(values), reason="fewer than two items")
    return sample(name, values, "items")


def whole_set_difference(name: str, values: Sequence[float], others: Sequence[float], margin: float) -> Figure:
    """One value a seed: the interval is over seeds, and the noise of the other method is not in it."""
    if not others:
        return Figure(name=name, reason="the other method has no value")
    if len(values) < 2:
        return Figure(name=name, value=values[0] - statistics.fmean(others), n=1, reason="one seed only, no interval")
    base = statistics.fmean(others)
    found = sample(name, [value - base for value in values], "seeds")
    return with_margin(found, margin * abs(base) or None)


def level(name: str, values: Sequence[float]) -> Figure:
    """A level with its interval over seeds; one value alone is a point."""
    if len(values) == 1:
        return point(name, values[0], "one value, no interval")
    return sample(name, values, "seeds")


def sample(name: str, values: Sequence[float], over: str) -> Figure:
    """The mean of a sample with Student-t intervals; absent for fewer than two values, and for equal ones."""
    if len(values) < 2:
        only = values[0] if values else None
        return Figure(
            name=name,
            value=only,
            n=len(values),
            reason=f"{count(len(values), over.removesuffix('s'))}, too few for an interval",
        )
    wide, narrow = summarise(values).interval, summarise(values, level=0.9).interval
    spread = moments_of(values).std
    if spread == 0.0:
        return Figure(name=name, value=values[0], n=len(values), reason=f"all {len(values)} values are equal")
    return Figure(
        name=name,
        value=statistics.fmean(values),
        low=wide.low,
        high=wide.high,
        narrow_low=narrow.low,
        narrow_high=narrow.high,
        smallest_effect=smallest_detectable_one_sample(len(values), standard_deviation=spread).raw,
        n=len(values),
        how=f"{len(values)} {over}",
    )


def point(name: str, value: float, how: str) -> Figure:
    return Figure(name=name, value=value, low=value, high=value, narrow_low=value, narrow_high=value, n=1, how=how)


def gramians(records: Records, model: str) -> list[Gramian]:
    batches = records.file("diagnosis", model).get("inter_task", ())
    return [g for b in batches if not (g := Gramian(b["uu"], b["ug"], b["gg"])).degenerate]


def no_diagnosis(name: str, model: str) -> list[Figure]:
    return [Figure(name=name, reason=f"there is no diagnosis of {model}, or too few batches in it")]


def cosine(records: Records, _: Condition, model: str, __: str) -> list[Figure]:
    values = [c for g in gramians(records, model) if (c := g.cosine) is not None]
    return [sample("cosine", values, "batches")] if len(values) > 1 else no_diagnosis("cosine", model)


def layer_cosines(records: Records, _: Condition, model: str, __: str) -> list[Figure]:
    by_layer: dict[int, list[float]] = {}
    for batch in records.file("diagnosis", model).get("inter_task", ()):
        for place, layer in enumerate(batch.get("layers", ())):
            if (found := Gramian(layer["uu"], layer["ug"], layer["gg"]).cosine) is not None:
                by_layer.setdefault(place, []).append(found)
    if not by_layer:
        return no_diagnosis("layers", model)
    return [sample(f"layer {place}", values, "batches") for place, values in sorted(by_layer.items())]


def intra(task: str) -> Statistic:
    def found(records: Records, _: Condition, model: str, __: str) -> list[Figure]:
        """Every second cosine of consecutive batches: those share no batch."""
        values = records.file("diagnosis", model).get(f"intra_{task}", ())[::2]
        return (
            [sample(f"{task} with itself", values, "disjoint pairs of batches")]
            if len(values) > 1
            else no_diagnosis(task, model)
        )

    return found


def ratios(records: Records, model: str) -> list[float]:
    return [r for g in gramians(records, model) if (r := g.generation_over_understanding) is not None]


def ratio(records: Records, _: Condition, model: str, __: str) -> list[Figure]:
    values = ratios(records, model)
    return [sample("ratio", values, "batches")] if len(values) > 1 else no_diagnosis("ratio", model)


def ratio_variation(records: Records, _: Condition, model: str, __: str) -> list[Figure]:
    """Coefficient of variation with a percentile bootstrap over batches."""
    values = np.asarray(ratios(records, model))
    if values.size < 5:
        return no_diagnosis("ratio_variation", model)
    drawn = values[np.random.default_rng(0).integers(0, values.size, (RESAMPLES, values.size))]
    found = drawn.std(axis=1, ddof=1) / drawn.mean(axis=1)
    low, narrow_low, narrow_high, high = (float(q) for q in np.quantile(found, (0.025, 0.05, 0.95, 0.975)))
    return [
        Figure(
            name="variation of the ratio",
            value=float(values.std(ddof=1) / values.mean()),
            low=low,
            high=high,
            narrow_low=narrow_low,
            narrow_high=narrow_high,
            n=int(values.size),
            how=f"bootstrap over {values.size} batches",
        )
    ]


def stored(stem: str, *keys: str) -> Statistic:
    """An estimate that the diagnosis stored with its 95% interval, which stands for the narrower one too."""

    def found(records: Records, condition: Condition, model: str, _: str) -> list[Figure]:
        value: object = records.file(stem, model)
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        name = condition.of
        if not isinstance(value, Mapping) or value.get("value") is None or value.get("low") is None:
            why = value.get("reason") if isinstance(value, Mapping) else ""
            return [Figure(name=name, reason=str(why or f"there is no {stem}.json of {model} that holds it"))]
        low, high = float(value["low"]), float(value["high"])
        n = int(value.get("n") or 0)
        return [
            Figure(
                name=name,
                value=float(value["value"]),
                low=low,
                high=high,
                narrow_low=low,
                narrow_high=high,
                n=n,
                how=f"{n} batches",
            )
        ]

    return found


def training_cosine(records: Records, condition: Condition, model: str, method: str) -> list[Figure]:
    values: list[float] = []
    for steps in records.steps(model, method, condition.setting):
        run = [c for step in steps if step.gramian is not None and (c := step.gramian.cosine) is not None]
        size = max(1, len(run) // PARTS)
        values += [statistics.fmean(run[i : i + size]) for i in range(0, len(run) - size + 1, size)]
    if not values:
        return [Figure(name=method, reason=records.why_missing(model, method, condition.setting))]
    return [sample(method, values, "parts of runs")]


def weight_over_length(records: Records, condition: Condition, model: str, method: str) -> list[Figure]:
    values: list[float] = []
    for steps in records.steps(model, method, condition.setting):
        seen = [(s.weights, s.understanding, s.generation) for s in steps[len(steps) // 2 :]]
        weights = [w.understanding / w.generation for w, _, _ in seen if w.generation > 0]
        tokens = [g.num_tokens / u.num_tokens for _, u, g in seen if u is not None and g is not None and u.num_tokens]
        if weights and tokens:
            values.append(math.log(statistics.median(weights) / statistics.fmean(tokens)))
    if not values:
        return [Figure(name=method, reason=records.why_missing(model, method, condition.setting))]
    found = sample(method, values, "seeds")
    if found.low is None or found.high is None or found.narrow_low is None or found.narrow_high is None:
        return [Figure(name=method, value=math.exp(values[0]), n=found.n, reason=found.reason)]
    return [
        Figure(
            name=method,
            value=math.exp(statistics.fmean(values)),
            low=math.exp(found.low),
            high=math.exp(found.high),
            narrow_low=math.exp(found.narrow_low),
            narrow_high=math.exp(found.narrow_high),
            n=found.n,
            how=f"{found.n} seeds, on a logarithmic scale",
        )
    ]


def final_loss(*tasks: str) -> Statistic:
    def found(records: Records, condition: Condition, model: str, method: str) -> list[Figure]:
        name = f"{method} - {condition.other}" if condition.other else method
        first = by_seed(records, model, method, condition.setting, tasks)
        if not first:
            return [Figure(name=name, reason=records.why_missing(model, method, condition.setting))]
        if not condition.other:
            return [sample(name, list(first.values()), "seeds")]
        second = by_seed(records, model, condition.other, condition.against_setting, tasks)
        common = sorted(set(first) & set(second))
        if len(common) < 2:
            return [Figure(name=name, n=len(common), reason=f"{count(len(common), 'common seed')}, too few for a test")]
        differences = [first[seed] - second[seed] for seed in common]
        return [sample(name, differences, "seeds")]

    return found


def by_seed(
    records: Records, model: str, method: str, setting: Mapping[str, object], tasks: Sequence[str]
) -> dict[int, float]:
    """The sum of a run's final losses, where it has them all."""
    found: dict[int, float] = {}
    for seed, row in records.losses(model, method, setting).items():
        losses = [row.get(f"loss_{task}") for task in tasks]
        if all(loss is not None for loss in losses):
            found[seed] = sum(loss for loss in losses if loss is not None)
    return found


def control(name: str) -> Statistic:
    def found(records: Records, _: Condition, __: str, ___: str) -> list[Figure]:
        record = records.controls.get(name)
        if record is None or record.get("accuracy") is None:
            group = records.controls.get("overfit" if name.startswith("overfit") else name) or {}
            return [Figure(name=name, reason=group.get("reason") or "the positive control was not run")]
        return [point(name, record["accuracy"], f"{record['pairs']} pairs")]

    return found


def count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


KINDS: dict[str, Statistic] = {
    "cosine": cosine,
    "layer_cosines": layer_cosines,
    "intra_understanding": intra("understanding"),
    "intra_generation": intra("generation"),
    "ratio": ratio,
    "ratio_variation": ratio_variation,
    "ratio_over_tokens": stored("diagnosis", "statistics", "per_token"),
    "token_slope": stored("intervention", "fit", "ratio", "slope"),
    "training_cosine": training_cosine,
    "loss_understanding": final_loss("understanding"),
    "loss_generation": final_loss("generation"),
    "loss_sum": final_loss("understanding", "generation"),
    "weight_over_length": weight_over_length,
    "control_planted": control("planted"),
    "control_overfit_understanding": control("overfit_understanding"),
    "control_overfit_generation": control("overfit_generation"),
}
assert set(KINDS) == set(STATISTICS)
