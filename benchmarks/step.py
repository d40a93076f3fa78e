"""One multi-task DPO step against the two-model baseline: time, peak memory, and the gain factor by factor."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import time
from dataclasses import replace
from statistics import median
from typing import Any

import torch
from torch import Tensor

from benchmarks.arithmetic import Shapes
from benchmarks.baselines.two_model import TwoModel, generation_batch, understanding_batch
from benchmarks.machine import limits, peak_memory
from benchmarks.measure import Paired, Row, speed_row, synchronise, timed
from benchmarks.subjects import DTYPES, SUBJECTS, Subject, generation_pairs, understanding_pairs
from bifrons import align
from bifrons.models.janus.model import JanusModel
from bifrons.models.pictures import to_image
from bifrons.records import GenerationPair, StepRecord, UnderstandingPair
from bifrons.training import Recipe

SPEED_BAR, MEMORY_BAR = 4.0, 0.5
SHARE_BAR, SHARE_PAIRS, SHARE_STEPS, SHARE_WARM = 0.45, 24, 14, 6  # while warm, layers are compiled
RUN_STEPS = 1000  # what preparing is amortised over: one run of the study
RUN_PAIRS = (1300, 288)  # and its pairs, all of which are prepared


def run(quick: bool, device: str) -> list[Row]:
    rows: list[Row] = []
    names = ["organism"] if quick else ["slice fp32", "slice bf16"] if device == "cpu" else ["1b", "7b"]
    for name in names:
        rows += time_rows(SUBJECTS[name], device, steps=3 if quick else 5)
        rows += [] if quick else memory_rows(name, device)
        rows += share_rows(SUBJECTS[name], device) if device != "cpu" or quick else []
    return rows


# Time


def time_rows(subject: Subject, device: str, steps: int) -> list[Row]:
    """Our steps are those of `align`, timed by itself; after each comes one of the baseline's, on the same pair."""
    model, pairs_u, pairs_g = ingredients(subject, device, steps + 1)
    baseline = two_model(model, subject)
    batches = [baseline_batches(model, u, g) for u, g in zip(pairs_u, pairs_g, strict=True)]
    recipe = recipe_of(subject, steps + 1)
    order = [
        (recipe.indices("understanding", s, steps + 1)[0], recipe.indices("generation", s, steps + 1)[0])
        for s in range(steps + 1)
    ]
    theirs: list[float] = []
    losses: list[tuple[float, float]] = []

    def between(record: StepRecord) -> None:
        u, g = order[record.step]
        loss: list[float] = []
        theirs.append(timed(lambda: loss.append(baseline.step(batches[u][0], batches[g][1]))))
        assert record.understanding is not None and record.generation is not None
        losses.append((loss[0], record.understanding.loss + record.generation.loss))

    preparing = preparation(model, pairs_u, pairs_g)
    done = align(model, understanding=pairs_u, generation=pairs_g, recipe=recipe, on_step=between, progress=False)
    ours = [step.seconds for step in done.steps]
    alone = Paired(theirs[1:], ours[1:])
    amortised = (preparing["understanding"] * RUN_PAIRS[0] + preparing["generation"] * RUN_PAIRS[1]) / RUN_STEPS
    counted = Paired(theirs[1:], [seconds + amortised for seconds in ours[1:]])
    operations = [operations_of(model, [pairs_u[u]], [pairs_g[g]]) for u, g in order]
    rate = limits(device)[str(DTYPES[subject.dtype]).removeprefix("torch.")]
    details = {
        "losses_baseline_and_ours": losses,
        "operations": operations,
        "share_of_matrix_rate": median(n / s for n, s in zip(operations[1:], ours[1:], strict=True)) / rate,
        "seconds_of_preparing_a_pair": preparing,
    }
    common: dict[str, Any] = {"benchmark": "step", "subject": subject.name}
    return [
        speed_row(
            alone,
            what="multi-task step / two-model",
            bar=SPEED_BAR if device == "cpu" else None,
            details=details,
            **common,
        ),
        speed_row(counted, what=f"the same, preparing {RUN_PAIRS} pairs over {RUN_STEPS} steps", **common),
        *factor_rows(subject, model, baseline, pairs_u[0], pairs_g[0], batches[0]),
    ]


def operations_of(model: JanusModel, pairs_u: list[UnderstandingPair], pairs_g: list[GenerationPair]) -> float:
    """Of forward and backward on these pairs; padding is not counted."""
    shapes = Shapes.of(model)
    read = sum(
        shapes.understanding_step(len(model.prompts.understanding(pair.question)), model.count_tokens(pair))
        for pair in pairs_u
    )
    return read + sum(shapes.generation_step(len(model.prompts.generation(pair.prompt))) for pair in pairs_g)


# The matrix rate


def share_rows(subject: Subject, device: str) -> list[Row]:
    """The share of the measured matrix rate of steps of one and of four pairs a task, one after another, without
    and with compiled layers.
    """
    dtype = str(DTYPES[subject.dtype]).removeprefix("torch.")
    model, pairs_u, pairs_g = ingredients(subject, device, SHARE_PAIRS)
    rate = limits(device)[dtype]
    rows: list[Row] = []
    for count, compiles in ((1, False), (4, False), (1, True), (4, True)):
        recipe = replace(recipe_of(subject, SHARE_STEPS), pairs_per_step=count)
        done = align(model, understanding=pairs_u, generation=pairs_g, recipe=recipe, compile=compiles, progress=False)
        shares: list[float] = []
        for step in done.steps[SHARE_WARM:]:
            chosen_u = [pairs_u[i] for i in recipe.indices("understanding", step.step, SHARE_PAIRS)]
            chosen_g = [pairs_g[i] for i in recipe.indices("generation", step.step, SHARE_PAIRS)]
            shares.append(operations_of(model, chosen_u, chosen_g) / step.seconds / rate)
        model.remove_adapter()
        rows.append(
            Row(
                benchmark="step",
                subject=subject.name,
                what=f"share of the measured matrix rate, {count} pair{'s' * (count > 1)} a task"
                + ", compiled" * compiles,
                ratio=median(shares),
                bound=Paired(shares, [1.0] * len(shares)).bound("lower"),
                bar=SHARE_BAR if subject.name == "7b" else None,
                unit="",
                seconds_ours=median(step.seconds for step in done.steps[SHARE_WARM:]),
                repeats=len(shares),
                details={
                    "shares": shares,
                    "matrix_rate": rate,
                    "seconds": [step.seconds for step in done.steps],
                    "margin_noise": [done.record.margin_noise_understanding, done.record.margin_noise_generation],
                },
            )
        )
    return rows


def ingredients(
    subject: Subject, device: str, count: int
) -> tuple[JanusModel, list[UnderstandingPair], list[GenerationPair]]:
    model = subject.build(device)
    return model, understanding_pairs(subject, count), generation_pairs(model, subject, count)


def recipe_of(subject: Subject, steps: int) -> Recipe:
    return Recipe(strategy="naive_joint", steps=steps, learning_rate=5e-6, adapter=subject.adapter)


def two_model(model: JanusModel, subject: Subject) -> TwoModel:
    """Two copies of the network of their own, in one dtype throughout."""
    dtype = DTYPES[subject.dtype]
    policy, reference = copy.deepcopy(model.network).to(dtype), copy.deepcopy(model.network).to(dtype)
    return TwoModel(policy, reference, subject.adapter)


def baseline_batches(
    model: JanusModel, u: UnderstandingPair, g: GenerationPair
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    pixels = model.processor.image_processor(to_image(u.image), return_tensors="pt")["pixel_values"].to(model.dtype)
    prefix = model.prompts.understanding(u.question)
    batches = (
        understanding_batch(prefix, model.responses(u), pixels, model.prompts.pad_id),
        generation_batch(model.prompts.generation(g.prompt), (g.chosen_codes, g.rejected_codes)),
    )
    return tuple({name: tensor.to(model.device) for name, tensor in batch.items()} for batch in batches)  # type: ignore[return-value]


def preparation(model: JanusModel, pairs_u: list[UnderstandingPair], pairs_g: list[GenerationPair]) -> dict[str, float]:
    """Seconds a pair of what is done once a data set: vision features and reference log-probabilities."""
    model.vision.forget()
    found: dict[str, float] = {}
    for task, pairs in (("understanding", pairs_u), ("generation", pairs_g)):
        began = time.perf_counter()
        with torch.no_grad():
            for pair in pairs:
                model.log_probs(model.pack([pair]))  # type: ignore[list-item]
        synchronise()
        found[task] = (time.perf_counter() - began) / max(len(pairs), 1)
    return found


def factor_rows(
    subject: Subject,
    model: JanusModel,
    baseline: TwoModel,
    u: UnderstandingPair,
    g: GenerationPair,
    batches: tuple[dict[str, Tensor], dict[str, Tensor]],
) -> list[Row]:
    """Where the gain comes from: each task's step alone, and each thing that is left out alone."""
    network = baseline.reference

    def ours(task: str) -> None:
        pair: Any = u if task == "understanding" else g
        model.log_probs(model.pack([pair])).sums.sum().backward()
        for parameter in (*[p.tensor for p in model.shared_parameters()], *[p for _, p in model.head_parameters()]):
            parameter.grad = None

    def theirs(task: str) -> None:
        parts = (batches[0], None) if task == "understanding" else (None, batches[1])
        baseline.step(*parts)

    rows: list[Row] = []
    for task in ("understanding", "generation"):
        made = Paired([timed(lambda: theirs(task)) for _ in range(2)], [timed(lambda: ours(task)) for _ in range(2)])  # noqa: B023
        rows.append(speed_row(made, benchmark="step", subject=subject.name, what=f"{task} alone / two-model"))
    with torch.no_grad():
        pixels = batches[0]["pixels"]
        hidden = torch.randn(*batches[0]["ids"].shape, network.config.text_config.hidden_size).to(pixels)
        predicted = int(batches[0]["response"].sum())
        body = timed(lambda: network.model.language_model(inputs_embeds=hidden, use_cache=False))
        parts = {
            "reference: one forward of both rows": body,
            "vision cache: the tower over both rows": timed(lambda: network.model.get_image_features(pixels)),
            "logits: head and log-softmax at every position": timed(
                lambda: network.lm_head(hidden).float().log_softmax(dim=-1)
            ),
            "logits: the same where a token is predicted": timed(
                lambda: network.lm_head(hidden.flatten(0, 1)[:predicted]).float().log_softmax(dim=-1)
            ),
            "packing: body forward of two rows": body,
            "packing: body forward of the packed row": timed(lambda: packed_body(model, u)),
        }
    rows += [
        Row(benchmark="step", subject=subject.name, what=f"factor: {what}", ratio=seconds, unit="s")
        for what, seconds in parts.items()
    ]
    return rows


def packed_body(model: JanusModel, pair: UnderstandingPair) -> None:
    packed = model.pack([pair])
    assert packed.mask is not None
    mask, positions = packed.mask.to(model.device), packed.positions.to(model.device)
    embeds = model.embed(packed)
    model.core.language_model(inputs_embeds=embeds, attention_mask=mask, position_ids=positions, use_cache=False)


# Memory


def memory_rows(name: str, device: str) -> list[Row]:
    """Peak memory of a child process that builds one side and makes two steps."""
    peak = {side: json.loads(child(name, side, device)) for side in ("ours", "baseline")}
    return [
        Row(
            benchmark="step",
            subject=name,
            what="peak memory / two-model",
            ratio=peak["ours"]["bytes"] / peak["baseline"]["bytes"],
            bar=MEMORY_BAR if device == "cpu" else None,
            better="lower",
            details=peak,
        )
    ]


def child(name: str, side: str, device: str) -> str:
    command = [sys.executable, "-m", "benchmarks.step", name, side, device]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]


def one_side(name: str, side: str, device: str, steps: int = 2) -> dict[str, float]:
    """The child's work. The baseline's networks are made one after the other, never three at a time."""
    subject = SUBJECTS[name]
    model, pairs_u, pairs_g = ingredients(subject, device, steps)
    if side == "ours":
        align(model, understanding=pairs_u, generation=pairs_g, recipe=recipe_of(subject, steps), progress=False)
    else:
        batches = [baseline_batches(model, u, g) for u, g in zip(pairs_u, pairs_g, strict=True)]
        dtype = DTYPES[subject.dtype]
        policy = model.network.to(dtype)
        baseline = TwoModel(policy, copy.deepcopy(policy), subject.adapter)
        for u, g in batches:
            baseline.step(u, g)
    return {"bytes": peak_memory(device)}


if __name__ == "__main__":
    print(json.dumps(one_side(sys.argv[1], sys.argv[2], sys.argv[3])))
