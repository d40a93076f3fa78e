"""POPE and VQAv2 beside a study's own evaluation examples: the paper's evaluation on photographs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from bifrons.sources import Benchmark, Example
from bifrons.study.config import BenchmarkedEvaluation

QUESTIONS_A_POPE_IMAGE = 6  # of the published files


def benchmark_examples(settings: BenchmarkedEvaluation) -> list[Example]:
    """Those of the files that are named. Raises ValueError that names file and record."""
    made: list[Example] = []
    if settings.pope:
        named = Benchmark(benchmark="pope", file=settings.pope, images=settings.benchmark_images)
        made += named.examples(settings.pope_images)
    if settings.vqav2_questions:
        named = Benchmark(
            benchmark="vqav2",
            questions=settings.vqav2_questions,
            annotations=settings.vqav2_annotations,
            images=settings.benchmark_images,
        )
        made += named.examples(settings.vqav2_items)
    return made


def benchmark_questions(settings: BenchmarkedEvaluation) -> int:
    """How many of them are asked, at most."""
    pope = QUESTIONS_A_POPE_IMAGE * settings.pope_images if settings.pope else 0
    return pope + (settings.vqav2_items if settings.vqav2_questions else 0)


def with_benchmarks(
    own: list[Example],
    benchmarks: list[Example],
    training: Mapping[str, str],
    settings: BenchmarkedEvaluation,
    say: Callable[[str], None],
) -> list[Example]:
    """The study's own examples, then the benchmarks' but for images that pairs train on (content hash to record id):
    val2017 and val2014 share photographs. How many are left out is said. Own questions of presence make way for POPE's.
    """
    if settings.pope:
        own = [replace(example, presence=()) for example in own]
    apart = [example for example in benchmarks if not training.keys() & set(example.context_keys)]
    if len(apart) < len(benchmarks):
        left_out = len(benchmarks) - len(apart)
        say(f"{left_out} of {len(benchmarks)} benchmark examples left out: pairs train on their image")
    return own + apart
