"""A study's pairs and evaluation examples: built once, kept as Parquet, refused where they overlap."""

from __future__ import annotations

import time
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
from bifrons.sources import Example, refuse_overlap
from bifrons.study.benchmarks import benchmark_examples, with_benchmarks
from bifrons.study.config import SOURCE_KEYS, DataSection, StudyConfig

QUESTIONS_PER_IMAGE = 5
SECONDS_BETWEEN = 30.0  # of two lines of progress


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
    benchmarks = benchmark_examples(config.evaluation)  # first: a mistake in their files should not cost a build
    of_source = {} if settings.source == "scenes" else source_hashes(settings)
    built_by = settings.model_dump(mode="json", exclude={"understanding_file", "generation_file", *SOURCE_KEYS})
    for key in ("max_new_tokens", "batch_size"):  # at their defaults they leave older keys as they are
        if built_by[key] == DataSection.model_fields[key].default:
            del built_by[key]
    definition = built_by | model.identity.samples_by | {"files": contents} | of_source
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
                built = build(config, model, task, folder / f"{task}.samples.jsonl", say)
                pairs, known[task] = cut(
                    built, settings.max_understanding if task == "understanding" else settings.max_generation
                )
            if not pairs:
                raise ValueError(f"no {task} pairs are left: {known[task]['dropped']}")
            write_pairs(paths[task], pairs)
        write_json(summary_path, known)
    understanding: Any = read_pairs(paths["understanding"])
    generation: Any = read_pairs(paths["generation"])
    evaluation = settings.where.examples("evaluation", config.evaluation.items, config.evaluation.seed)
    training = {key: pair.id for pair in [*understanding, *generation] for key in pair.context_keys}
    refuse_overlap(training, evaluation)
    evaluation = with_benchmarks(evaluation, benchmarks, training, config.evaluation, say)
    return StudyData(understanding, generation, evaluation, {k: v for k, v in known.items() if k != "key"})


def source_hashes(settings: DataSection) -> dict[str, str]:
    """What defines the source's content, whatever its paths."""
    named = {"captions": settings.captions, "instances": settings.instances, "table": settings.table}
    made = {"source": settings.source, "evaluation_share": repr(settings.evaluation_share)}
    for key, where in named.items():
        if where:
            path = Path(where)
            made[key] = content_hash(path.read_bytes()) if path.is_file() else str(where)
    return made


def build(config: StudyConfig, model: UnifiedModel, task: str, samples: Path, say: Callable[[str], None]) -> Built[Any]:
    """The pairs of a task. Responses are kept in `samples`, so that a build that was killed goes on."""
    settings = config.data
    if task == "understanding":
        count = -(-settings.understanding_questions // QUESTIONS_PER_IMAGE)
        examples = settings.where.examples("pairs", count, settings.seed)
        return understanding_pairs(
            model,
            examples,
            min_margin=settings.min_margin_understanding,
            max_new_tokens=settings.max_new_tokens,
            batch_size=settings.batch_size,
            seed=settings.seed,
            report=telling(say, "answers", 2 * sum(len(example.questions) for example in examples)),
            samples=samples,
        )
    if settings.generation_kind == "planted":
        return planted_pairs(model, settings.generation_prompts, seed=settings.seed)
    from bifrons.scorers.clip import load_clip

    clip = load_clip(settings.curation_clip)
    examples = settings.where.examples("pairs", settings.generation_prompts, settings.seed + 1)
    real = settings.generation_kind == "real_against_generated"
    make = real_against_generated if real else model_against_model
    report = telling(say, "drawings", len(examples) if real else 2 * len(examples))
    return make(
        model, examples, clip, batch_size=settings.batch_size, seed=settings.seed, report=report, samples=samples
    )


def telling(say: Callable[[str], None], what: str, total: int) -> Callable[[int], None]:
    """A function that is told how many more items are done, and says so now and then."""
    done, told = 0, time.monotonic()

    def report(count: int) -> None:
        nonlocal done, told
        done += count
        if time.monotonic() - told >= SECONDS_BETWEEN:
            told = time.monotonic()
            say(f"  {done} of {total} {what}")

    return report


def cut(built: Built[Any], most: int | None) -> tuple[list[Any], dict[str, Any]]:
    """The first `most` pairs; the rest is counted among the dropped."""
    kept = built.pairs if most is None else built.pairs[:most]
    summary = built.summary()
    if len(kept) < len(built.pairs):
        summary["dropped"] = {**built.dropped, f"more than {most} pairs": len(built.pairs) - len(kept)}
    return kept, summary | {"kept": len(kept)}
