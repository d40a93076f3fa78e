"""A study's pairs and evaluation examples: built once, kept as Parquet, refused where they overlap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bifrons.pairs import model_against_model, planted_pairs, real_against_generated, understanding_pairs
from bifrons.pairs.built import Built
from bifrons.protocol import UnifiedModel
from bifrons.records import (
    GenerationPair,
    UnderstandingPair,
    content_hash,
    read_json,
    read_pairs,
    run_key,
    write_json,
    write_pairs,
)
from bifrons.sources import Example, refuse_overlap, scene_examples
from bifrons.study.config import StudyConfig

QUESTIONS_PER_SCENE = 5


@dataclass(frozen=True, slots=True)
class StudyData:
    """`summary` counts what was kept and dropped, by cause, for each task."""

    understanding: list[UnderstandingPair]
    generation: list[GenerationPair]
    evaluation: list[Example]
    summary: dict[str, Any]


def load_data(config: StudyConfig, model: UnifiedModel, folder: Path, say: Callable[[str], None]) -> StudyData:
    """Read or build the pairs of both tasks. Raises ValueError for overlap of training and evaluation, and for no pairs
    left.
    """
    settings = config.data
    given = {"understanding": settings.understanding_file, "generation": settings.generation_file}
    for path in given.values():
        if path is not None and not path.is_file():
            raise ValueError(f"{path}: no such file")
    contents = {task: "" if path is None else content_hash(path.read_bytes()) for task, path in given.items()}
    built_by = settings.model_dump(mode="json", exclude={"understanding_file", "generation_file"})
    definition = built_by | {"model": model.identity.fingerprint, "files": contents}
    summary_path = folder / "summary.json"
    known: dict[str, Any] = read_json(summary_path) if summary_path.is_file() else {}
    key = run_key(definition)
    paths = {task: folder / f"{task}.parquet" for task in ("understanding", "generation")}
    if known.get("key") != key or not all(path.is_file() for path in paths.values()):
        known = {"key": key}
        for task, source in given.items():
            if source is not None:
                pairs: Any = read_pairs(source)
                if (task == "understanding") != isinstance(pairs[0], UnderstandingPair):
                    raise ValueError(f"{source}: does not hold {task} pairs")
                known[task] = {"kept": len(pairs), "dropped": {}, "notes": {}, "file": source.name}
            else:
                say(f"building {task} pairs")
                built = build(config, model, task)
                pairs, known[task] = cut(
                    built, settings.max_understanding if task == "understanding" else settings.max_generation
                )
            if not pairs:
                raise ValueError(f"no {task} pairs are left: {known[task]['dropped']}")
            write_pairs(paths[task], pairs)
        write_json(summary_path, known)
    understanding: Any = read_pairs(paths["understanding"])
    generation: Any = read_pairs(paths["generation"])
    evaluation = scene_examples("evaluation", config.evaluation.items, config.evaluation.seed)
    training = {key: pair.id for pair in [*understanding, *generation] for key in pair.context_keys}
    refuse_overlap(training, evaluation)
    return StudyData(understanding, generation, evaluation, {k: v for k, v in known.items() if k != "key"})


def build(config: StudyConfig, model: UnifiedModel, task: str) -> Built[Any]:
    settings = config.data
    if task == "understanding":
        examples = scene_examples("pairs", -(-settings.understanding_questions // QUESTIONS_PER_SCENE), settings.seed)
        return understanding_pairs(model, examples, min_margin=settings.min_margin_understanding, seed=settings.seed)
    if settings.generation_kind == "planted":
        return planted_pairs(model, settings.generation_prompts, seed=settings.seed)
    from bifrons.scorers.clip import load_clip

    clip = load_clip(settings.curation_clip)
    examples = scene_examples("pairs", settings.generation_prompts, settings.seed + 1)
    make = real_against_generated if settings.generation_kind == "real_against_generated" else model_against_model
    return make(model, examples, clip, seed=settings.seed)


def cut(built: Built[Any], most: int | None) -> tuple[list[Any], dict[str, Any]]:
    """The first `most` pairs; the rest is counted among the dropped."""
    kept = built.pairs if most is None else built.pairs[:most]
    summary = built.summary()
    if len(kept) < len(built.pairs):
        summary["dropped"] = {**built.dropped, f"more than {most} pairs": len(built.pairs) - len(kept)}
    return kept, summary | {"kept": len(kept)}
