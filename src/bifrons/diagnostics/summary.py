"""Statistics of a diagnosis: cosine, ratio, null calibration, layers, signal (claims 1 to 4 and 20 of the study)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bifrons.diagnostics.batches import Batch, Consecutive, cosines, ratios
from bifrons.diagnostics.estimate import (
    Estimate,
    Test,
    Within,
    compared,
    geometric_mean_of,
    mean_of,
    mean_of_series,
    too_few,
    variation_of,
    within,
)
from bifrons.diagnostics.layers import Layer, Uniformity, layer_table, uniformity
from bifrons.records import Task
from bifrons.stats import one_sample, smallest_detectable_one_sample, welch

COSINE_MARGIN = 0.1  # (ours): a mean cosine within -0.1 .. 0.1 counts as orthogonal


@dataclass(frozen=True, slots=True, kw_only=True)
class Intra:
    """One task's gradient against its own of the batch before: the null calibration.

    `consecutive` takes all these cosines, two of which share a batch where they meet; its interval is a block
    bootstrap's. `disjoint` takes every second one, which share none. The two Welch tests set the inter-task cosines
    against each; d > 0 means that the same task agrees more. `signal` is the squared length of the mean gradient over
    the mean squared length, from the inner products of batches that share no pair: 1 means no noise, and it may come
    out below 0 where there is hardly any signal.
    """

    consecutive: Estimate
    disjoint: Estimate
    above_zero: Test
    against_consecutive: Test
    against_disjoint: Test
    signal: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientSummary:
    """All statistics of a diagnosis. `ratio` is |g_G| / |g_U|, `ratio_geometric` its geometric mean, which does not
    depend on which task stands above; `tokens` the mean ratio of response tokens, `per_token` the geometric mean of the
    ratio over the token ratio.
    """

    num_batches: int
    num_usable: int
    cosine: Estimate
    cosine_blocks: Estimate
    cosine_against_zero: Test
    cosine_within: Within
    detectable_cosine: float | None
    ratio: Estimate
    ratio_geometric: Estimate
    ratio_variation: Estimate
    tokens: Estimate
    per_token: Estimate
    understanding: Intra
    generation: Intra
    layers: tuple[Layer, ...]
    uniformity: Uniformity
    largest_a: float | None
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"uniformity": asdict(self.uniformity) | {"verdict": self.uniformity.verdict}}


def summarise_gradients(batches: Sequence[Batch], *, margin: float = COSINE_MARGIN, seed: int = 0) -> GradientSummary:
    """Raises ValueError for a margin that is not above 0."""
    if not margin > 0:
        raise ValueError(f"the margin of the cosine is {margin}; it has to be above 0")
    inter, norms = cosines(batches), ratios(batches)
    tokens = [batch.tokens[1] / batch.tokens[0] for batch in batches]
    by_token = [
        ratio / (batch.tokens[1] / batch.tokens[0])
        for batch in batches
        if (ratio := batch.total.generation_over_understanding) is not None
    ]
    cosine = mean_of(inter)
    detectable = None
    if cosine.std is not None:
        detectable = smallest_detectable_one_sample(cosine.n, standard_deviation=cosine.std).raw
    largest = [batch.largest_a for batch in batches if batch.largest_a is not None]
    return GradientSummary(
        num_batches=len(batches),
        num_usable=sum(batch.usable for batch in batches),
        cosine=cosine,
        cosine_blocks=mean_of_series(inter, seed),
        cosine_against_zero=compared(one_sample, inter),
        cosine_within=within(one_sample, inter, margin),
        detectable_cosine=detectable,
        ratio=mean_of(norms),
        ratio_geometric=geometric_mean_of(norms),
        ratio_variation=variation_of(norms, seed),
        tokens=mean_of(tokens),
        per_token=geometric_mean_of(by_token),
        understanding=intra(batches, "understanding", inter, seed),
        generation=intra(batches, "generation", inter, seed),
        layers=layer_table(batches),
        uniformity=uniformity(batches, margin, seed),
        largest_a=max(largest) if largest else None,
        notes=tuple(notes(batches)),
    )


def intra(batches: Sequence[Batch], task: Task, inter: Sequence[float], seed: int) -> Intra:
    seen: list[tuple[int, Consecutive]] = [
        (batch.batch, found) for batch in batches if (found := getattr(batch, task)) is not None
    ]
    every = [c for _, found in seen if (c := found.total.cosine) is not None]
    disjoint = [c for number, found in seen if number % 2 and (c := found.total.cosine) is not None]
    what = "consecutive batches"
    return Intra(
        consecutive=mean_of_series(every, seed, what),
        disjoint=mean_of(disjoint, "disjoint pairs of batches"),
        above_zero=compared(one_sample, disjoint, what="disjoint pairs of batches"),
        against_consecutive=compared(welch, every, inter, what=what),
        against_disjoint=compared(welch, disjoint, inter, what="disjoint pairs of batches"),
        signal=signal([found for _, found in seen], seed),
    )


def signal(seen: Sequence[Consecutive], seed: int) -> Estimate:
    """The mean inner product of different batches estimates the squared length of the mean gradient without bias."""
    if len(seen) < 4:
        return Estimate(value=None, n=len(seen), reason=too_few(len(seen), 4, "consecutive batches"))
    squared = sum(found.total.gg for found in seen) / len(seen)
    if not squared > 0:
        return Estimate(value=None, n=len(seen), reason="every gradient of this task is zero")
    return mean_of_series([found.total.ug / squared for found in seen], seed, "consecutive batches")


def notes(batches: Sequence[Batch]) -> list[str]:
    """What a reader has to know of the sample: batches without a gradient, pairs that came more than once."""
    found: list[str] = []
    unusable = sum(not batch.usable for batch in batches)
    if unusable:
        found.append(f"{unusable} of {len(batches)} batches have a task gradient that is zero or not finite.")
    for place, task in enumerate(("understanding", "generation")):
        distinct = len({batch.records[place] for batch in batches})
        if distinct < len(batches):
            found.append(
                f"There are {distinct} {task} pairs for {len(batches)} batches, so pairs come again and batches are "
                "not independent: intervals are narrower than they ought to be."
            )
    return found


def as_tests(summary: GradientSummary) -> dict[str, Any]:
    """The statistics by name, numbers or the reason why there is none: what a study's `diagnosis.json` holds."""
    found: dict[str, Any] = {
        "inter_task_cosine": shown(summary.cosine, "value", "low", "high", "std", "n"),
        "inter_task_cosine_block_bootstrap": shown(summary.cosine_blocks, "low", "high"),
        "inter_task_cosine_against_zero": shown(summary.cosine_against_zero, "t", "p", "cohens_d"),
        "inter_task_cosine_within_margin": shown(summary.cosine_within, "margin", "p", "verdict"),
        "ratio": shown(summary.ratio, "value", "low", "high", "std"),
        "ratio_geometric_mean": shown(summary.ratio_geometric, "value", "low", "high"),
        "ratio_coefficient_of_variation": shown(summary.ratio_variation, "value", "low", "high"),
        "token_ratio": shown(summary.tokens, "value"),
        "ratio_over_token_ratio": shown(summary.per_token, "value", "low", "high"),
    }
    for task in ("understanding", "generation"):
        own: Intra = getattr(summary, task)
        found |= {
            f"intra_{task}_consecutive": shown(own.consecutive, "value", "low", "high", "n"),
            f"intra_{task}_disjoint": shown(own.disjoint, "value", "low", "high", "n"),
            f"intra_{task}_above_zero": shown(own.above_zero, "t", "p"),
            f"intra_{task}_against_inter_consecutive": shown(own.against_consecutive, "t", "p", "cohens_d"),
            f"intra_{task}_against_inter_disjoint": shown(own.against_disjoint, "t", "p", "cohens_d"),
            f"signal_share_{task}": shown(own.signal, "value", "low", "high"),
        }
    found["layers"] = shown(summary.uniformity, "verdict", "p", "largest", "layer")
    found["layers_slope"] = shown(summary.uniformity.slope, "value", "low", "high")
    found["largest_gradient_of_lora_a"] = "no LoRA A" if summary.largest_a is None else summary.largest_a
    return found


def shown(figure: Estimate | Test | Within | Uniformity, *names: str) -> dict[str, Any]:
    """The named parts; where one is absent its reason stands once in the place of all of them."""
    values = {name: getattr(figure, name) for name in names}
    known = {name: value for name, value in values.items() if value is not None}
    return known if len(known) == len(values) else known | {"absent": figure.reason or "not known"}
