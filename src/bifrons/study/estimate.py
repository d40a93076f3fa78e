"""What a study would cost, from a few timed steps of its own model on this machine."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch

from bifrons.protocol import AdapterSettings, Sampling, UnifiedModel
from bifrons.records import GenerationPair, Provenance, Task, UnderstandingPair
from bifrons.sources import scene_examples
from bifrons.strategies import make_strategy
from bifrons.study.bench import load_as
from bifrons.study.benchmarks import benchmark_questions
from bifrons.study.cells import cells_of
from bifrons.study.config import INTERVENTION_BATCHES, StudyConfig

REPEATS = 5


def estimate(config: StudyConfig, jobs: int = 1) -> str:
    """Cells, and time and memory extrapolated from timed steps; nothing of the study is run."""
    cells = cells_of(config)
    lines, total = [f"{len(cells)} cells"], 0.0
    for name in config.all_models:
        own = config.under(name, ())
        try:
            model = load_as(name, config)
        except ValueError as error:
            lines += [f"  {cell.name}" for cell in cells if cell.model == name]
            lines.append(f"no times: {error}")
            lines.append("`bifrons models --shapes` estimates the published sizes from their shapes alone")
            continue
        seconds, evaluation = step_seconds(model, own), evaluation_seconds(model, own)
        response = evaluation / (6 * config.evaluation.items)  # a response a question, an image, two presence questions
        evaluation += response * benchmark_questions(config.evaluation)
        if config.models:
            lines.append(f"{name}:")
        for cell in cells:
            if cell.model != name:
                continue
            cost = 0.0 if cell.kind == "separate" else evaluation
            if cell.kind == "train":
                tasks: tuple[Task, ...] = make_strategy(cell.method).tasks
                training = config.under(name, cell.setting).training
                cost += training.steps * training.pairs_per_step * sum(seconds[task] for task in tasks)
            total += cost / jobs
            lines.append(f"  {cell.name:56} {cost:8.0f} s")
        built = {config.under(name, cell.setting).data: None for cell in cells if cell.model == name}
        pairs = 2 * response * own.data.understanding_questions
        pairs += 2 * response * sum(data.generation_prompts for data in built)
        cut_batches = min(config.diagnosis.batches, INTERVENTION_BATCHES) * config.diagnosis.intervention
        diagnosis = (config.diagnosis.batches + 2 * cut_batches) * sum(seconds.values())
        controls = config.controls.planted_steps * seconds["generation"] * bool(config.controls.planted)
        controls += config.controls.overfit_steps * sum(seconds.values()) * bool(config.controls.overfit)
        total += pairs + diagnosis + controls
        for what, cost in (
            ("pairs, where they are not built yet", pairs),
            ("diagnosis", diagnosis),
            ("positive controls", controls),
        ):
            lines.append(f"  {what:56} {cost:8.0f} s")
    if total == 0:
        return "\n".join(lines)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    where = f"{jobs} processes of one thread" if jobs > 1 else f"{torch.get_num_threads()} threads"
    lines.append(f"about {total / 60:.1f} minutes and {peak * max(1, jobs):.1f} GiB on this machine ({where})")
    return "\n".join(lines)


def step_seconds(model: UnifiedModel, config: StudyConfig) -> dict[Task, float]:
    """Seconds of one pair's forward and backward, for each task."""
    training = config.training
    model.add_adapter(AdapterSettings(rank=training.rank, alpha=training.alpha, dropout=training.dropout))
    example = scene_examples("pairs", 1, 0)[0]
    made = Provenance(builder="estimate")
    codes = tuple(int(c) for c in np.arange(model.num_image_tokens) % 7)
    pairs: dict[Task, list[UnderstandingPair] | list[GenerationPair]] = {
        "understanding": [
            UnderstandingPair(
                id="a",
                image=example.image,
                question=example.questions[0].text,
                chosen=example.captions[0],
                rejected=example.captions[1],
                provenance=made,
            )
        ],
        "generation": [
            GenerationPair(
                id="b", prompt=example.prompt, chosen_codes=codes, rejected_codes=codes[::-1], provenance=made
            )
        ],
    }
    found: dict[Task, float] = {}
    for task, some in pairs.items():
        found[task] = timed(lambda p=some: model.log_probs(model.pack(p)).sums.sum().backward())
    model.remove_adapter()
    return found


def evaluation_seconds(model: UnifiedModel, config: StudyConfig) -> float:
    """Seconds of one model's evaluation, from one small batch of answers and of drawings."""
    settings = config.evaluation
    count = min(16, settings.items)
    examples = scene_examples("pairs", count, 1)
    sampling = Sampling(
        temperature=settings.temperature, guidance=settings.guidance, max_new_tokens=settings.max_new_tokens
    )
    answers = timed(
        lambda: model.answer([e.image for e in examples], [e.questions[0].text for e in examples], sampling), 1
    )
    drawings = timed(lambda: model.draw([e.prompt for e in examples], sampling), 1)
    return (3 * answers + drawings) * settings.items / count


def timed(work: Callable[[], object], repeats: int = REPEATS) -> float:
    work()
    durations: list[float] = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        durations.append(time.perf_counter() - began)
    return median(durations)
