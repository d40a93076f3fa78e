"""A study file: what it may say, and one-line errors for what it may not."""

from __future__ import annotations

import tomllib
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bifrons.claims.rules import Claim
from bifrons.losses import LOSSES, usual_beta
from bifrons.sources import Source
from bifrons.sources.choose import SourceName
from bifrons.strategies import PAPER, STRATEGIES

POST_HOC = ("rewarded_soup", "separate_lora")
TAKES_INTERVAL = ("gradient_weighted", "gradient_weighted_smoothed")
Positive = Annotated[int, Field(ge=1)]
Value = bool | int | float | str
Setting = tuple[tuple[str, Value], ...]
SOURCE_KEYS = ("source", "captions", "instances", "images", "table", "evaluation_share")


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataSection(Section):
    """Where pairs come from: built by the model itself from scenes, from COCO files or from a table of images and
    captions; or read from Parquet files. What is drawn for evaluation comes from the same source and never overlaps.
    """

    source: SourceName = "scenes"
    captions: Path | None = None  # COCO captions, JSON
    instances: Path | None = None  # COCO instances, JSON: questions then have known answers
    images: Path | None = None  # the image folder
    table: str = ""  # JSON lines, CSV, Parquet, a folder, or a Hugging Face data set's name
    evaluation_share: Annotated[float, Field(gt=0, lt=1)] = 0.5  # of the images, by their content
    understanding_questions: Positive = 1600
    generation_prompts: Positive = 400
    generation_kind: Literal["real_against_generated", "model_against_model", "planted"] = "real_against_generated"
    understanding_file: Path | None = None
    generation_file: Path | None = None
    curation_clip: str = "scenes-curation"
    min_margin_understanding: Annotated[float, Field(ge=0)] = 0.5
    max_understanding: Positive | None = 1300
    max_generation: Positive | None = 288
    max_new_tokens: Positive = 64
    batch_size: Positive = 32
    seed: int = 0

    @property
    def where(self) -> Source:
        """Raises ValueError for a setting that the source needs or does not have."""
        return Source(**{key: getattr(self, key) for key in SOURCE_KEYS})


class TrainingSection(Section):
    """Settings of `bifrons.align` that all methods share."""

    steps: Positive = 1000
    pairs_per_step: Positive = 1
    loss: str = "dpo"  # of both tasks, a name of `losses.LOSSES`
    beta: Annotated[float, Field(gt=0)] = Field(  # unset, the usual one of the loss
        default_factory=lambda training: usual_beta(training.get("loss", "dpo"))
    )
    learning_rate: Annotated[float, Field(gt=0)] = 5e-6
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    clip: Annotated[float, Field(gt=0)] = 1.0
    clip_mode: Literal["joint", "separate"] = "joint"
    rank: Positive = 64
    alpha: Annotated[float, Field(gt=0)] = 128.0
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.05
    full: bool = False  # the projections themselves instead of an adapter: rank, alpha and dropout then mean nothing
    interval: Positive | None = None  # K of gradient weighting; unset, the length of the run decides
    coupling: Literal["sum", "product"] = "sum"  # of the two losses, as in `training.Recipe`, and so the next two
    paired: bool = False  # pair i of both files in the same step
    accumulate: Positive = 1  # micro-batches that a step's pairs are cut into, to save memory
    gradient_checkpointing: bool = False  # activations twice, to save memory: changes no run
    compile: bool = (
        False  # the body's layers by torch.compile: faster steps after a wait; other roundings, the same run key
    )


class EvaluationSection(Section):
    """What every model is asked: questions in turn of kind, presence questions, prompts to draw."""

    items: Positive = 200
    temperature: Annotated[float, Field(ge=0)] = 0.1
    guidance: Annotated[float, Field(ge=1)] | None = None  # the checkpoint's own
    max_new_tokens: Positive = 64
    batch_size: Positive = 32  # a matter of memory; part of a result's identity only where arithmetic is not fp32
    clip: str = "scenes-evaluation"
    pick_score: str = ""  # folder or hub name of PickScore's CLIP-H; empty leaves the metric out, as with the next two
    inception: str = ""  # safetensors file of Inception v3, for FID
    lpips: str = ""  # safetensors file of LPIPS
    kl_pairs: Annotated[int, Field(ge=0)] = 64  # training pairs a face that the divergence from the base is taken on
    seed: int = 0


class BenchmarkedEvaluation(EvaluationSection):
    """What is asked beside the study's own examples. A POPE file's questions take the place of those that are made from
    instances. Images that pairs train on are left out. The paper asks 500 of VQAv2's questions.
    """

    pope: str = ""  # POPE's JSON lines, or a data set's name
    pope_images: Positive = 500  # how many, of six questions each
    vqav2_questions: str = ""  # the official JSON, or a table that holds the answers
    vqav2_annotations: Path | None = None
    vqav2_items: Positive = 500  # questions
    benchmark_images: Path | None = None  # the folder of both benchmarks' images: COCO's val2014


INTERVENTION_BATCHES = 40  # at most; each costs a backward for every cut


class DiagnosisSection(Section):
    """Gradients of the untrained model; 0 batches leaves the diagnosis out. `intervention` also scores the first tokens
    alone, to see what token counts do to the ratio of norms.
    """

    batches: Annotated[int, Field(ge=0)] = 200
    intervention: bool = False


class GallerySection(Section):
    """Examples shown in the report."""

    drawings: Annotated[int, Field(ge=0)] = 6
    answers: Annotated[int, Field(ge=0)] = 6


class ControlsSection(Section):
    """Positive controls: a trainer that fails them gives no negative result that can be believed.

    `planted` pairs (chosen draws the asked scene, rejected the wrong colours) train `generation_only`; a fifth of them
    is held out. `overfit` pairs a face are trained on until they are learned by heart.
    """

    planted: Annotated[int, Field(ge=0)] = 0
    planted_steps: Positive = 400
    overfit: Annotated[int, Field(ge=0)] = 0
    overfit_steps: Positive = 300
    overfit_learning_rate: Annotated[float, Field(gt=0)] = 3e-3


class VarySection(Section):
    """Cells beside the grid: these methods under every combination of these settings, all else as in the study.

    `set` names settings of [training] or [data] by their dotted key, with one value or several:
    `set = {"training.beta" = [0.05, 0.2, 0.5]}`. An empty `set` adds methods at the study's own setting. `seeds` and
    `models` are the study's unless given.
    """

    methods: tuple[str, ...]
    set: dict[str, Value | tuple[Value, ...]] = {}
    seeds: tuple[int, ...] | None = None
    models: tuple[str, ...] | None = None

    @property
    def combinations(self) -> list[Setting]:
        values = [value if isinstance(value, tuple) else (value,) for value in self.set.values()]
        return [tuple(zip(self.set, chosen, strict=True)) for chosen in product(*values)]


class StudyConfig(Section):
    """The whole of a study file. With `models` the grid is run on each of them. `options` are those of the model's
    family (see `bifrons.load`): how it estimates, how it draws. `claims` hold the statistic, the margin and the rule of
    each claim, fixed before the run.
    """

    title: str = "DPO of a unified model"
    description: str = ""
    model: str = "organism"
    models: tuple[str, ...] = ()
    revision: str = ""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"  # of the base; `auto` is its files'
    options: dict[str, Value] = {}
    methods: tuple[str, ...] = (*PAPER, *POST_HOC)
    seeds: tuple[int, ...] = (0,)
    soup_weights: tuple[Annotated[float, Field(ge=0, le=1)], ...] = (0.5,)
    data: DataSection = DataSection()
    training: TrainingSection = TrainingSection()
    evaluation: BenchmarkedEvaluation = BenchmarkedEvaluation()
    diagnosis: DiagnosisSection = DiagnosisSection()
    gallery: GallerySection = GallerySection()
    controls: ControlsSection = ControlsSection()
    vary: tuple[VarySection, ...] = ()
    margin: Annotated[float, Field(gt=0)] = 0.2  # of equivalence, in standard deviations of the base over items
    claims: tuple[Claim, ...] = ()

    @property
    def all_models(self) -> tuple[str, ...]:
        return self.models or (self.model,)

    def under(self, model: str, setting: Setting) -> StudyConfig:
        """This study for one model and with these settings instead of its own; dotted keys."""
        values = self.model_dump(exclude={"vary", "claims"}, exclude_unset=True) | {"model": model, "models": ()}
        for key, value in setting:
            section, _, name = key.partition(".")
            values.setdefault(section, {})[name] = value
        return StudyConfig.model_validate(values)


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
    for name in ("seeds", "methods", "soup_weights", "models"):
        values = getattr(config, name)
        if len(set(values)) < len(values):
            raise ValueError(f"{path}: {name} holds a value twice")
    check_methods(path, config.methods)
    check_axes(path, config)
    for setting in ((), *(setting for vary in config.vary for setting in vary.combinations)):
        training = config.under(config.all_models[0], setting).training
        if training.loss not in LOSSES:
            raise ValueError(f"{path}: there is no loss {training.loss!r}; there are {', '.join(LOSSES)}")
        if training.accumulate > training.pairs_per_step:
            raise ValueError(f"{path}: training.accumulate is more than training.pairs_per_step")
        if training.coupling == "product" and (training.loss != "dpo" or not training.paired):
            raise ValueError(f"{path}: training.coupling 'product' needs the loss dpo and training.paired")
    check_coupling(path, config)
    numbers = [claim.number for claim in config.claims]
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"{path}: claims holds a number twice")
    needed = {"fixed_weight": ("gradient_weighted",)} | dict.fromkeys(
        POST_HOC, ("understanding_only", "generation_only")
    )
    for method, others in needed.items():
        for other in others:
            if method in config.methods and other not in config.methods:
                raise ValueError(f"{path}: method {method} needs {other}, which is not among the methods")
    if "rewarded_soup" in config.methods and not config.soup_weights:
        raise ValueError(f"{path}: rewarded_soup needs soup_weights, which is empty")
    try:
        _ = config.data.where
    except ValueError as error:
        raise ValueError(f"{path}: data: {error}") from None
    if config.data.generation_kind == "planted" and config.data.source != "scenes":
        raise ValueError(f"{path}: planted pairs are made of scenes, and data.source is {config.data.source!r}")
    for judge in ("clip", "pick_score"):
        if config.data.curation_clip == getattr(config.evaluation, judge):
            name = config.data.curation_clip
            raise ValueError(f"{path}: data.curation_clip and evaluation.{judge} are the same network, {name!r}")


def check_files(path: Path, config: StudyConfig) -> None:
    """Raises ValueError that names the key of a file that is not there. A study is read and listed without its data."""
    for key in ("captions", "instances", "images", "understanding_file", "generation_file"):
        named: Path | None = getattr(config.data, key)
        if named is not None and not named.exists():
            raise ValueError(f"{path}: data.{key}: {named}: no such file or folder")
    asked = config.evaluation
    used = {"vqav2_annotations": asked.vqav2_questions, "benchmark_images": asked.pope or asked.vqav2_questions}
    for key in used:
        named = getattr(asked, key)
        if used[key] and named is not None and not named.exists():
            raise ValueError(f"{path}: evaluation.{key}: {named}: no such file or folder")


def check_coupling(path: Path, config: StudyConfig) -> None:
    """A product is of both tasks' margins, so methods that train one task cannot have it."""
    for setting, methods in (
        ((), config.methods),
        *((setting, vary.methods) for vary in config.vary for setting in vary.combinations),
    ):
        single = [name for name in methods if name in ("understanding_only", "generation_only")]
        if single and config.under(config.all_models[0], setting).training.coupling == "product":
            raise ValueError(f"{path}: training.coupling 'product' needs both tasks, and {single[0]} trains one")


def check_axes(path: Path, config: StudyConfig) -> None:
    """The further axes: models, and what [[vary]] may say."""
    if config.models and config.model not in (config.models[0], StudyConfig.model_fields["model"].default):
        raise ValueError(f"{path}: model is {config.model!r} and models begin with {config.models[0]!r}; give one")
    for number, vary in enumerate(config.vary):
        where = f"{path}: vary[{number}]"
        check_methods(where, vary.methods)
        for method in vary.methods:
            if method in POST_HOC or method == "fixed_weight":
                raise ValueError(f"{where}: {method} needs other cells and cannot be varied")
        for model in vary.models or ():
            if model not in config.all_models:
                raise ValueError(f"{where}: model {model!r} is not among the study's")
        if vary.seeds == ():
            raise ValueError(f"{where}: seeds is empty")
        for key in vary.set:
            section, _, name = key.partition(".")
            fields = {"training": TrainingSection, "data": DataSection}.get(section)
            if fields is None or name not in fields.model_fields:
                raise ValueError(f"{where}: set holds {key!r}, which is no setting of [training] or [data]")
            if key in ("training.gradient_checkpointing", "training.compile"):
                raise ValueError(f"{where}: {key} changes no run, so it cannot be varied")
            if key == "training.interval" and not set(vary.methods) <= set(TAKES_INTERVAL):
                raise ValueError(f"{where}: {key} has no effect on a method other than {', '.join(TAKES_INTERVAL)}")
        for setting in vary.combinations:
            try:
                config.under(config.all_models[0], setting)
            except ValidationError as error:
                raise ValueError(f"{where}: {first_problem(error)}") from None


def check_methods(where: object, methods: tuple[str, ...]) -> None:
    for method in methods:
        if method not in STRATEGIES and method not in POST_HOC and ":" not in method:
            raise ValueError(f"{where}: there is no method {method!r}; there are {', '.join((*STRATEGIES, *POST_HOC))}")


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
