"""The training loop: batch, two losses, Gramian, weights, step, record."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from bifrons.gradients import gramians
from bifrons.protocol import UnifiedModel
from bifrons.records import (
    GenerationPair,
    Observation,
    RunRecord,
    StepRecord,
    Task,
    TaskStep,
    UnderstandingPair,
    content_hash,
    pairs_hash,
    read_json,
    run_key,
    write_json,
)
from bifrons.training.batch import TaskData, backward, objectives, prepare
from bifrons.training.checkpoint import load_checkpoint, save_checkpoint
from bifrons.training.compilation import check_compilation, compiled_layers
from bifrons.training.failure import check_finite
from bifrons.training.log import step_log, steps_until
from bifrons.training.precision import settings_for
from bifrons.training.processes import Layout, join
from bifrons.training.progress import step_progress
from bifrons.training.recipe import TASKS, Recipe
from bifrons.training.reference import Pairs, ReferencePolicy
from bifrons.training.tracking import check_tracker, tracking
from bifrons.training.update import TaskGradient, Trainable, clip, locals_of
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
    start: str | Path | None = None,
    reference: ReferencePolicy = "base",
    checkpoint_every: int = 100,
    gradient_checkpointing: bool = False,
    compile: bool = False,
    layout: Layout = "replicas",
    tracker: str | None = None,
    on_step: Callable[[StepRecord], None] | None = None,
    progress: bool = True,
    **settings: Any,
) -> Alignment:
    """Train an adapter on preference pairs of one task or of both (study, sections on losses, gradients and training).

    `settings` are those of `Recipe` (strategy, steps, learning_rate, seed, ...), and `beta`, `loss` and `loss_settings`
    set both tasks'. With `out` the run is kept in that folder (config, steps, checkpoint, adapter) and resumes there.
    `start` is the folder of an adapter that training goes on from, as a round of self-play does; `reference` is then
    either the base or that start. `gradient_checkpointing` computes activations again in the backward, for memory;
    `compile` has torch compile the body's layers, for speed; `layout` says how several processes share a model (see
    `training.processes`); `tracker` is one of `training.tracking.TRACKERS`. None of these four changes the run, though
    compiled layers move it by roundings. Raises ValueError for settings that do not exist, for a task without pairs
    that the strategy trains, for a model that already has an adapter, for a start of another model or rank, for a
    folder of another run, for layers that cannot be compiled, and for a loss that is not finite.
    """
    recipe = configured(recipe or Recipe(), settings)
    strategy = recipe.make()
    given: dict[Task, Pairs | None] = {"understanding": understanding, "generation": generation}
    check_pairs(recipe, strategy.tasks, given)
    processes = join(layout)
    if compile:
        check_compilation(processes)
    processes.micro_batches(recipe.pairs_per_step, recipe.accumulate)  # refuses too few pairs before anything is done
    hashes: dict[Task, str] = {task: pairs_hash(list(given[task] or ())) for task in strategy.tasks}  # type: ignore[arg-type]
    definition = recipe.definition(model.identity, hashes) | start_definition(start, reference, recipe)
    key = run_key(definition)
    folder = None if out is None else Path(out)
    check_tracker(tracker, folder)
    if folder is not None:
        open_folder(folder, definition, writes=processes.writes)

    if processes.device is not None:
        model.to(processes.device)
    model.add_adapter(recipe.adapter)
    if start is not None:
        model.load_adapter(Path(start))
    model.checkpoint_gradients(gradient_checkpointing)
    if processes.layout == "sharded":
        model.shard()
    trained = Trainable.of(model)
    cache = Path(reference_cache) if reference_cache is not None else folder
    going_on = reference, definition.get("start", ""), compile
    device = trained.all[0].device
    with settings_for(model, device), compiled_layers(model, compile):
        data: dict[Task, TaskData] = {
            task: prepare(model, task, given[task] or (), cache, processes, *going_on) for task in strategy.tasks
        }
    num_tokens = (mean_tokens(data, "understanding"), mean_tokens(data, "generation"))
    optimizer = trained.optimizer(recipe)

    done, state, steps = 0, strategy.start(), list[StepRecord]()
    if folder is not None and (resumed := load_checkpoint(folder, trained.named, optimizer, key)):
        done, state = resumed
        steps = steps_until(folder, done)
    began = time.monotonic() - sum(step.seconds for step in steps)

    with (
        settings_for(model, device),
        compiled_layers(model, compile),
        step_progress(recipe.strategy_name, recipe.steps, done, shown=progress and processes.writes) as show,
        step_log(folder if processes.writes else None, steps) as log,
        tracking(tracker if processes.writes else None, key, folder, definition) as watch,
    ):
        for step in range(done, recipe.steps):
            started = time.monotonic()
            seen: dict[Task, TaskStep] = {}
            gradients: dict[Task, TaskGradient] = {}
            aims = objectives(model, recipe, data, step, processes)
            for task, task_data in reversed(data.items()):  # the larger task first: its freed memory serves the other
                seen[task] = backward(model, recipe, task, task_data, step, aims[task], processes)
                gradients[task] = trained.take(processes)
            check_finite(step, seen, None, folder, writes=processes.writes)

            total, per_layer = None, ()
            if len(gradients) == 2:
                u, g = locals_of(gradients["understanding"].shared), locals_of(gradients["generation"].shared)
                total, per_layer = gramians(u, g, trained.layers, processes.summed_shards)
            observation = Observation(
                step=step,
                gramian=total,
                num_tokens=num_tokens,
                understanding=seen.get("understanding"),
                generation=seen.get("generation"),
            )
            state, weights = strategy.weigh(state, observation)

            trained.set(gradients, weights, weighs_head=strategy.weighs_head)
            del gradients
            norm = clip(recipe, trained, processes)
            check_finite(step, seen, norm, folder, writes=processes.writes)
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
            log(record)
            if folder is not None and ((step + 1) % checkpoint_every == 0 or step + 1 == recipe.steps):
                save_checkpoint(folder, step + 1, trained.named, optimizer, state, key, writes=processes.writes)
            watch(record)
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
        model.save_adapter(folder / "adapter", writes=processes.writes)
        if processes.writes:
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


def start_definition(start: str | Path | None, reference: ReferencePolicy, recipe: Recipe) -> dict[str, Any]:
    """What the run key says of an adapter to start from; nothing for a fresh one, whose reference is its base."""
    if start is None:
        return {}
    config = Path(start) / "adapter_config.json"
    if not config.is_file():
        raise ValueError(f"{start}: holds no adapter to start from")
    rank = read_json(config)["r"]
    if rank != recipe.adapter.rank:
        raise ValueError(f"{start}: has rank {rank}, and the recipe says {recipe.adapter.rank}")
    weights = (Path(start) / "adapter_model.safetensors").read_bytes()
    return {"start": content_hash(weights), "reference": reference}


def check_pairs(recipe: Recipe, tasks: Sequence[Task], given: dict[Task, Pairs | None]) -> None:
    """Raises ValueError for a task without pairs, for pairs of the other task, and for `paired` lists that differ."""
    for task in tasks:
        if not given[task]:
            raise ValueError(f"strategy {recipe.strategy_name} trains {task}, but there are no {task} pairs")
        for pair in given[task] or ():
            if not isinstance(pair, UnderstandingPair if task == "understanding" else GenerationPair):
                raise ValueError(f"{pair.id!r} was given for {task}, but it is a {type(pair).__name__}")
    if not recipe.paired or len(tasks) < len(TASKS):
        return
    understanding, generation = given["understanding"] or (), given["generation"] or ()
    if len(understanding) != len(generation):
        counts = f"{len(understanding)} and {len(generation)}"
        raise ValueError(f"paired needs as many pairs of each task; there are {counts}")
    for index, (own, other) in enumerate(zip(understanding, generation, strict=True)):
        if own.id != other.id:
            raise ValueError(
                f"paired needs the same ids in the same order; pair {index} is {own.id!r} and {other.id!r}"
            )


def open_folder(folder: Path, definition: dict[str, Any], *, writes: bool) -> None:
    """Raises ValueError when the folder holds another run: nothing in it is overwritten."""
    path = folder / "config.json"
    key = run_key(definition)
    if path.is_file():
        if read_json(path).get("key") != key:
            raise ValueError(f"{folder}: holds another run; give a new folder or remove this one")
    elif writes:
        write_json(path, {"key": key, "threads": torch.get_num_threads(), **definition})


def mean_tokens(data: dict[Task, TaskData], task: Task) -> float:
    return data[task].num_tokens if task in data else 0.0


def final_loss(steps: list[StepRecord], task: Task) -> float | None:
    losses = [seen.loss for step in steps[-FINAL_STEPS:] if (seen := getattr(step, task)) is not None]
    return sum(losses) / len(losses) if losses else None
