"""One cell's evaluation: what is missing is sampled and stored; scores are functions of what is stored.

In a run's folder, `evaluation/responses-<key>/` holds what the model said and drew under one sampling,
`evaluation/kl-<key>.json` its divergence from the base on training pairs, and `evaluation/scores-<key>.json` what a set
of metrics makes of both. Other settings and other metrics lie beside them; nothing is overwritten.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bifrons.evaluation import (
    METRICS,
    Divergences,
    ResponseStore,
    adapter_fingerprint,
    evaluate,
    is_complete,
    measure_divergence,
    respond,
    scaled_constants,
)
from bifrons.protocol import UnifiedModel
from bifrons.records import Pair, Task, content_hash, pairs_hash, read_json, run_key, write_json
from bifrons.scorers import LengthConstants
from bifrons.scorers.clip import ClipScorer
from bifrons.scorers.content import words
from bifrons.scorers.networks import picture_networks
from bifrons.scorers.preference import embedded_fingerprint
from bifrons.sources import Example
from bifrons.study.config import EvaluationSection

EVALUATION_VERSION = 2


def responses_of(
    model: UnifiedModel, adapter: Path | None, settings: EvaluationSection, seed: int, folder: Path
) -> ResponseStore:
    """The responses of the model with this adapter under these settings, as far as they were sampled."""
    about: dict[str, Any] = {
        "version": EVALUATION_VERSION,
        **model.identity.samples_by,
        "adapter": adapter_fingerprint(adapter),
        "temperature": settings.temperature,
        "guidance": settings.guidance,
        "max_new_tokens": settings.max_new_tokens,
        "seed": settings.seed + seed,
    }
    if about["dtype"] != "float32":  # rounding then differs from batch to batch, and a sample with it
        about["batch_size"] = settings.batch_size
    return ResponseStore(folder / "evaluation" / f"responses-{run_key(about)}", about)


def evaluate_model(
    model: UnifiedModel,
    adapter: Path | None,
    examples: list[Example],
    settings: EvaluationSection,
    clip: ClipScorer,
    *,
    seed: int,
    constants: LengthConstants | None,
    folder: Path,
    pairs: Mapping[Task, Sequence[Pair]] | None = None,
    report: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Scores by metric, answers and codes by item, of the model with the adapter in its folder (None: the base).

    The adapter is loaded only where something is missing. `pairs` of training are what its divergence from the base is
    taken on. `constants` None takes the length constants from this model's own answers: that is the base, and the rest
    is scored by it.
    """
    store = responses_of(model, adapter, settings, seed, folder)
    some: dict[Task, list[Pair]] = {task: spaced(of_task, settings.kl_pairs) for task, of_task in (pairs or {}).items()}
    kl_path = divergence_path(model, store.about["adapter"], some, folder)
    lengths = None if constants is None else [constants.full_bonus, constants.very_short]
    definition = store.about | {
        "items": run_key({"examples": [identity_of(e) for e in examples]}),
        "clip": clip.fingerprint,
        "networks": [embedded_fingerprint(), settings.pick_score, settings.inception, settings.lpips],
        "kl": None if adapter is None else kl_path.name,
        "lengths": lengths,
        "metrics": {metric.name: metric.version for metric in METRICS.values()},
    }
    path = folder / "evaluation" / f"scores-{run_key(definition)}.json"
    complete = is_complete(store, examples)
    if not (complete and path.is_file()):
        if adapter is not None and not (complete and kl_path.is_file()):
            model.load_adapter(adapter)
        responses = respond(
            model,
            examples,
            temperature=settings.temperature,
            guidance=settings.guidance,
            max_new_tokens=settings.max_new_tokens,
            batch_size=settings.batch_size,
            seed=settings.seed + seed,
            store=store,
            report=report,
        )
        if constants is None:
            counts = [len(words(row.answer.text)) for row in responses.answers if row.example.captions]
            constants = scaled_constants(sum(counts) / len(counts)) if sum(counts) else LengthConstants()
        scores = evaluate(
            responses,
            clip=clip,
            networks=picture_networks(clip, settings.pick_score, settings.inception, settings.lpips),
            constants=constants,
            divergences=None if adapter is None else divergences_of(model, some, kl_path),
        )
        scored = {s.metric: {"items": s.items, "value": s.value, "reason": s.reason} for s in scores}
        used = {"full_bonus": constants.full_bonus, "very_short": constants.very_short}
        write_json(path, {"about": definition, "constants": used, "scores": scored})
    return read_json(path) | {
        "answers": {item: row["text"] for item, row in store.rows["answers"].items()},
        "drawings": {item: row["codes"] for item, row in store.rows["drawings"].items()},
    }


def spaced(pairs: Sequence[Pair], count: int) -> list[Pair]:
    """`count` pairs at equal distances, or all where there are fewer."""
    number = min(count, len(pairs))
    return [pairs[i * len(pairs) // number] for i in range(number)]


def divergence_path(model: UnifiedModel, adapter: str, pairs: Mapping[Task, list[Pair]], folder: Path) -> Path:
    """Where the divergence of the model with the adapter of this fingerprint on these pairs lies."""
    definition = {"version": EVALUATION_VERSION, "adapter": adapter, **model.identity.scores_by}
    hashes = {task: pairs_hash(of_task) for task, of_task in pairs.items()}  # type: ignore[arg-type]
    return folder / "evaluation" / f"kl-{run_key(definition | {'pairs': hashes})}.json"


def divergences_of(model: UnifiedModel, pairs: Mapping[Task, list[Pair]], path: Path) -> Divergences:
    """Read from disk, or measured and kept there."""
    if not path.is_file():
        write_json(path, {task: measure_divergence(model, of_task) for task, of_task in pairs.items()})
    return {task: {item: tuple(row) for item, row in rows.items()} for task, rows in read_json(path).items()}


def identity_of(example: Example) -> list[str]:
    """All of an example that scores depend on."""
    asked = [text for q in (*example.questions, *example.presence) for text in (q.kind, q.text, q.answer, *q.answers)]
    return [example.id, content_hash(example.image), *example.captions, *asked]


def separate(understanding: dict[str, Any], generation: dict[str, Any]) -> dict[str, Any]:
    """Each face judged by its own adapter: what routing by task would give."""
    by_task = {"understanding": understanding, "generation": generation}
    return {
        "constants": understanding["constants"],
        "scores": {name: by_task[metric.task]["scores"][name] for name, metric in METRICS.items()},
        "answers": understanding["answers"],
        "drawings": generation["drawings"],
    }
