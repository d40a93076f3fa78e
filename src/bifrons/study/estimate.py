"""What a study would cost, from a few timed steps of its own model on this machine."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch

from bifrons.models import load
from bifrons.protocol import AdapterSettings, Sampling, UnifiedModel
from bifrons.records import GenerationPair, Provenance, Task, UnderstandingPair
from bifrons.sources import scene_examples
from bifrons.strategies import make_strategy
from bifrons.study.cells import cells_of
from bifrons.study.config import StudyConfig

REPEATS = 5


def estimate(config: StudyConfig) -> str:
    """Cells, and time and memory extrapolated from timed steps; nothing of the study is run."""
    model = load(config.model, revision=config.revision)
    seconds = step_seconds(model, config)
    evaluation = evaluation_seconds(model, config)
    cells = cells_of(config)
    lines, total = [f"{len(cells)} cells"], 0.0
    for cell in cells:
        cost = 0.0 if cell.kind == "separate" else evaluation
        if cell.kind == "train":
            tasks: tuple[Task, ...] = make_strategy(cell.method).tasks
            cost += config.training.steps * config.training.pairs_per_step * sum(seconds[task] for task in tasks)
        total += cost
        lines.append(f"  {cell.name:44} {cost:8.0f} s")
    building = evaluation / (6 * config.evaluation.items)  # a response a question, an image, two presence questions
    pairs = building * 2 * (config.data.understanding_questions + config.data.generation_prompts)
    diagnosis = config.diagnosis.batches * sum(seconds.values())
    total += pairs + diagnosis
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    lines += [
        f"  {'pairs, where they are not built yet':44} {pairs:8.0f} s",
        f"  {'diagnosis':44} {diagnosis:8.0f} s",
        f"about {total / 60:.1f} minutes and {peak:.1f} GiB on this machine ({torch.get_num_threads()} threads)",
    ]
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
