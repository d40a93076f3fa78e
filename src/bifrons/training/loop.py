"""The training loop: batch, two losses, Gramian, weights, step, record."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from bifrons.gradients import combine, gramians, take
from bifrons.protocol import UnifiedModel
from bifrons.records import (
    GenerationPair,
    Observation,
    RunRecord,
    StepRecord,
    Task,
    TaskStep,
    UnderstandingPair,
    pairs_hash,
    read_json,
    read_steps,
    run_key,
    step_to_line,
    write_json,
    write_text,
)
from bifrons.training.batch import TaskData, backward, objectives, prepare
from bifrons.training.checkpoint import load_checkpoint, save_checkpoint
from bifrons.training.processes import Processes
from bifrons.training.progress import step_progress
from bifrons.training.recipe import TASKS, Recipe
from bifrons.training.reference import Pairs
from bifrons.training.versions import versions

BOTH_TASKS = ("beta", "loss", "loss_settings")  # one value for both tasks, unless a task has its own
FINAL_STEPS = 50  # the final loss is the mean of this many last steps


@dataclass(frozen=True, slots=True)
class Alignment:
    """A finished run: its record and its steps. The model it was given now carries the trained adapter."""

    record: RunRecord
    steps: list[StepRecord]


def align(
    model: UnifiedModel,
    *,
    understanding: Sequence[UnderstandingPair] | None = None,
    generation: Sequence[GenerationPair] | None = None,
    recipe: Recipe | None = None,
    out: str | Path | None = None,
    reference_cache: str | Path | None = None,
    checkpoint_every: int = 100,
    on_step: Callable[[StepRecord], None] | None = None,
    progress: bool = True,
    **settings: Any,
) -> Alignment:
    """Train an adapter on preference pairs of one task or of both (study, sections on losses, gradients and training).

    `settings` are those of `Recipe` (strategy, steps, learning_rate, seed, ...), and `beta`, `loss` and `loss_settings`
    set both tasks'. With `out` the run is kept in that folder (config, steps, checkpoint, adapter) and resumes there.
    Raises ValueError for settings that do not exist, for a task
    without pairs that the strategy trains, for a model that already has an adapter, and for a folder of another run.
    """
    recipe = configured(recipe or Recipe(), settings)
    strategy = recipe.make()
    given: dict[Task, Pairs | None] = {"understanding": understanding, "generation": generation}
    for task in strategy.tasks:
        if not given[task]:
            raise ValueError(f"strategy {recipe.strategy_name} trains {task}, but there are no {task} pairs")
        for pair in given[task] or ():
            if not isinstance(pair, UnderstandingPair if task == "understanding" else GenerationPair):
                raise ValueError(f"{pair.id!r} was given for {task}, but it is a {type(pair).__name__}")
    if recipe.paired:
        check_paired(understanding or (), generation or ())
    processes = Processes()
    hashes: dict[Task, str] = {task: pairs_hash(list(given[task] or ())) for task in strategy.tasks}  # type: ignore[arg-type]
    definition = recipe.definition(model.identity, hashes)
    key = run_key(definition)
    folder = None if out is None else Path(out)
    if folder is not None:
        open_folder(folder, definition)

    model.add_adapter(recipe.adapter)
    shared = model.shared_parameters()
    head = model.head_parameters()
    layers = [parameter.layer for parameter in shared]
    shared_tensors, head_tensors = [p.tensor for p in shared], [p for _, p in head]
    trainable: dict[str, Parameter] = {p.name: p.tensor for p in shared} | dict(head)
    assert all(p.dtype == torch.float32 for p in trainable.values()), "every trainable tensor is fp32"
    cache = Path(reference_cache) if reference_cache is not None else folder
    data: dict[Task, TaskData] = {task: prepare(model, task, given[task] or (), cache) for task in strategy.tasks}
    num_tokens = (data[t].num_tokens if t in data else 0.0 for t in TASKS)
    tokens_understanding, tokens_generation = num_tokens
    optimizer = torch.optim.AdamW(trainable.values(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)

    done, state, steps = 0, strategy.start(), list[StepRecord]()
    if folder is not None and (resumed := load_checkpoint(folder, trainable, optimizer, key)):
        done, state = resumed
        steps = read_steps(folder / "steps.jsonl")[:done]
        if len(steps) < done:
            raise ValueError(f"{folder / 'steps.jsonl'}: holds {len(steps)} steps, the checkpoint {done}")
    lines = [step_to_line(step) for step in steps]
    began = time.monotonic() - sum(step.seconds for step in steps)

    with step_progress(recipe.strategy_name, recipe.steps, done, shown=progress) as show:
        for step in range(done, recipe.steps):
            started = time.monotonic()
            seen: dict[Task, TaskStep] = {}
            gradients: dict[Task, tuple[list[Tensor | None], list[Tensor | None]]] = {}
            aims = objectives(model, recipe, data, step, processes)
            for task, task_data in data.items():
                seen[task] = backward(model, recipe, task, task_data, step, aims[task], processes)
                gradients[task] = take(shared_tensors), take(head_tensors)
            nothing: list[Tensor | None] = [None] * len(shared_tensors)
            u, _ = gradients.get("understanding", (nothing, []))
            g, head_gradient = gradients.get("generation", (nothing, [None] * len(head_tensors)))
            total, per_layer = gramians(u, g, layers) if len(gradients) == 2 else (None, ())
            observation = Observation(
                step=step,
                gramian=total,
                num_tokens=(tokens_understanding, tokens_generation),
                understanding=seen.get("understanding"),
                generation=seen.get("generation"),
            )
            state, weights = strategy.weigh(state, observation)
            head_weight = weights.generation if strategy.weighs_head else 1.0
            set_gradients(shared_tensors, combine(u, g, weights.understanding, weights.generation))
            set_gradients(head_tensors, combine([None] * len(head_tensors), head_gradient, 0.0, head_weight))
            norm = clip(recipe, shared_tensors, head_tensors)
            for group in optimizer.param_groups:
                group["lr"] = recipe.learning_rate_at(step)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            record = StepRecord(
                step=step,
                understanding=seen.get("understanding"),
                generation=seen.get("generation"),
                gramian=total,
                layers=per_layer,
                weights=weights,
                state=state,
                norm_before_clip=norm,
                learning_rate=recipe.learning_rate_at(step),
                seconds=time.monotonic() - started,
            )
            steps.append(record)
            lines.append(step_to_line(record))
            if folder is not None and ((step + 1) % checkpoint_every == 0 or step + 1 == recipe.steps):
                write_text(folder / "steps.jsonl", "\n".join(lines) + "\n")
                save_checkpoint(folder, step + 1, trainable, optimizer, state, key)
            show(record)
            if on_step is not None:
                on_step(record)

    finished = RunRecord(
        key=key,
        strategy=recipe.strategy_name,
        seed=recipe.seed,
        steps=recipe.steps,
        loss_understanding=final_loss(steps, "understanding"),
        loss_generation=final_loss(steps, "generation"),
        margin_noise_understanding=data["understanding"].noise if "understanding" in data else None,
        margin_noise_generation=data["generation"].noise if "generation" in data else None,
        seconds=time.monotonic() - began,
        versions=versions(),
    )
    if folder is not None:
        model.save_adapter(folder / "adapter")
        write_json(folder / "record.json", asdict(finished))
    return Alignment(finished, steps)


def configured(recipe: Recipe, settings: dict[str, Any]) -> Recipe:
    for name in BOTH_TASKS:
        if name in settings:
            value = settings.pop(name)
            settings = {f"{name}_{task}": value for task in TASKS} | settings
    known = set(Recipe.__slots__)
    for name in settings:
        if name not in known:
            raise ValueError(f"align has no setting {name!r}; it has {', '.join((*BOTH_TASKS, *sorted(known)))}")
    return replace(recipe, **settings)


def check_paired(understanding: Sequence[UnderstandingPair], generation: Sequence[GenerationPair]) -> None:
    """Raises ValueError where record i of one task is not record i of the other."""
    if len(understanding) != len(generation):
        raise ValueError(
            f"paired needs as many pairs of each task; there are {len(understanding)} and {len(generation)}"
        )
    for index, (own, other) in enumerate(zip(understanding, generation, strict=True)):
        if own.id != other.id:
            raise ValueError(
                f"paired needs the same ids in the same order; pair {index} is {own.id!r} and {other.id!r}"
            )


def open_folder(folder: Path, definition: dict[str, Any]) -> None:
    """Raises ValueError when the folder holds another run: nothing in it is overwritten."""
    path = folder / "config.json"
    key = run_key(definition)
    if path.is_file():
        if read_json(path).get("key") != key:
            raise ValueError(f"{folder}: holds another run; give a new folder or remove this one")
        return
    write_json(path, {"key": key, "threads": torch.get_num_threads(), **definition})


def set_gradients(parameters: list[Parameter], gradients: list[Tensor | None]) -> None:
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient


def clip(recipe: Recipe, shared: list[Parameter], head: list[Parameter]) -> float:
    """Clip after weighting, over all trainables together or LoRA and head apart; the norm before, over all."""
    together = float(torch.nn.utils.get_total_norm([p.grad for p in (*shared, *head) if p.grad is not None]))
    for group in ([*shared, *head],) if recipe.clip_mode == "joint" else (shared, head):
        torch.nn.utils.clip_grad_norm_(group, recipe.clip)
    return together


def final_loss(steps: list[StepRecord], task: Task) -> float | None:
    losses = [seen.loss for step in steps[-FINAL_STEPS:] if (seen := getattr(step, task)) is not None]
    return sum(losses) / len(losses) if losses else None
