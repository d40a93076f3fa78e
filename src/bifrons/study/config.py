"""A study file: what it may say, and one-line errors for what it may not."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bifrons.strategies import STRATEGIES

POST_HOC = ("rewarded_soup", "separate_lora")
Positive = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataSection(Section):
    """Where pairs come from: built from scenes by the model itself, or read from Parquet files."""

    understanding_questions: Positive = 1600
    generation_prompts: Positive = 400
    generation_kind: Literal["real_against_generated", "model_against_model", "planted"] = "real_against_generated"
    understanding_file: Path | None = None
    generation_file: Path | None = None
    curation_clip: str = "scenes-curation"
    min_margin_understanding: Annotated[float, Field(ge=0)] = 0.5
    max_understanding: Positive | None = 1300
    max_generation: Positive | None = 288
    seed: int = 0


class TrainingSection(Section):
    """Settings of `bifrons.align` that all methods share."""

    steps: Positive = 1000
    pairs_per_step: Positive = 1
    beta: Annotated[float, Field(gt=0)] = 0.1
    learning_rate: Annotated[float, Field(gt=0)] = 5e-6
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    clip: Annotated[float, Field(gt=0)] = 1.0
    clip_mode: Literal["joint", "separate"] = "joint"
    rank: Positive = 64
    alpha: Annotated[float, Field(gt=0)] = 128.0
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.05


class EvaluationSection(Section):
    """What every model is asked: questions in turn of kind, presence questions, prompts to draw."""

    items: Positive = 200
    temperature: Annotated[float, Field(ge=0)] = 0.1
    guidance: Annotated[float, Field(ge=1)] | None = None  # the checkpoint's own
    max_new_tokens: Positive = 64
    batch_size: Positive = 32  # a matter of memory; part of a result's identity only where arithmetic is not fp32
    clip: str = "scenes-evaluation"
    seed: int = 0


class DiagnosisSection(Section):
    """Gradients of the untrained model; 0 batches leaves the diagnosis out."""

    batches: Annotated[int, Field(ge=0)] = 200


class GallerySection(Section):
    """Examples shown in the report."""

    drawings: Annotated[int, Field(ge=0)] = 6
    answers: Annotated[int, Field(ge=0)] = 6


class StudyConfig(Section):
    """The whole of a study file. `claims` are read by the report: statistic, margin and rule of each, fixed before the
    run.
    """

    title: str = "DPO of a unified model"
    description: str = ""
    model: str = "organism"
    revision: str = ""
    methods: tuple[str, ...] = (*(name for name in STRATEGIES if name != "gradient_weighted_smoothed"), *POST_HOC)
    seeds: tuple[int, ...] = (0,)
    soup_weights: tuple[Annotated[float, Field(ge=0, le=1)], ...] = (0.5,)
    data: DataSection = DataSection()
    training: TrainingSection = TrainingSection()
    evaluation: EvaluationSection = EvaluationSection()
    diagnosis: DiagnosisSection = DiagnosisSection()
    gallery: GallerySection = GallerySection()


def read_study(path: Path, overrides: tuple[str, ...] = ()) -> StudyConfig:
    """A study from its TOML file, with `key=value` overrides (`training.steps=100`).

    Raises ValueError of one line that names the file and the key for a missing file, an unknown key, a bad value, a
    method that does not exist, and zero seeds.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{path}: no such study file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, IsADirectoryError) as error:
        raise ValueError(f"{path}: not TOML ({error})") from None
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key:
            raise ValueError(f"--set {override}: it has to be key=value")
        place = values
        *parents, last = key.strip().split(".")
        for parent in parents:
            place = place.setdefault(parent, {})
            if not isinstance(place, dict):
                raise ValueError(f"--set {override}: {parent} is no table")
        place[last] = parse_value(text.strip())
    try:
        config = StudyConfig.model_validate(values)
    except ValidationError as error:
        raise ValueError(f"{path}: {first_problem(error)}") from None
    check(path, config)
    return config


def check(path: Path, config: StudyConfig) -> None:
    if not config.seeds:
        raise ValueError(f"{path}: seeds is empty; a study needs at least one")
    if not config.methods:
        raise ValueError(f"{path}: methods is empty; a study needs at least one")
    for name, values in (("seeds", config.seeds), ("methods", config.methods), ("soup_weights", config.soup_weights)):
        if len(set(values)) < len(values):
            raise ValueError(f"{path}: {name} holds a value twice")
    for method in config.methods:
        if method not in STRATEGIES and method not in POST_HOC and ":" not in method:
            raise ValueError(f"{path}: there is no method {method!r}; there are {', '.join((*STRATEGIES, *POST_HOC))}")
    needed = {"fixed_weight": ("gradient_weighted",)} | dict.fromkeys(
        POST_HOC, ("understanding_only", "generation_only")
    )
    for method, others in needed.items():
        for other in others:
            if method in config.methods and other not in config.methods:
                raise ValueError(f"{path}: method {method} needs {other}, which is not among the methods")
    if "rewarded_soup" in config.methods and not config.soup_weights:
        raise ValueError(f"{path}: rewarded_soup needs soup_weights, which is empty")
    if config.data.curation_clip == config.evaluation.clip:
        raise ValueError(
            f"{path}: data.curation_clip and evaluation.clip are the same network, {config.evaluation.clip!r}"
        )


def parse_value(text: str) -> Any:
    """A TOML value; what is none is taken as a text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def first_problem(error: ValidationError) -> str:
    problem = error.errors()[0]
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"unknown key {key!r}"
    return f"{key}: {problem['msg'].lower()}, and is {problem['input']!r}"
