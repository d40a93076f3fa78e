"""A study file with a [hermesflow] section: homologous pairs, rounds of self-play, variants, and the claims' rules."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bifrons.evaluation import METRICS
from bifrons.evaluation.gap import METRICS as GAP_METRICS
from bifrons.pairs.homologous import CurationSettings
from bifrons.sources import Source
from bifrons.sources.choose import SourceName
from bifrons.strategies import STRATEGIES
from bifrons.study.config import EvaluationSection, Value, first_problem, parse_value

PAIR_DPO = {"pair_dpo": "sum", "pair_dpo_product": "product"}  # method: how the two losses of a record are coupled
Positive = Annotated[int, Field(ge=1)]
NumSamples = Annotated[int, Field(ge=2)]
Share = Annotated[float, Field(ge=0, lt=1)]
JudgeName = Literal["self", "first", "verifier"]
Rule = Literal["above", "below", "not_above", "not_below"]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Method(Section):
    """What a cell's rounds are made with. `judge` self is the model that the round starts from, first the base."""

    rounds: Positive = 2
    num_captions: NumSamples = 4
    num_drawings: NumSamples = 4
    judge: JudgeName = "self"
    reference: Literal["first", "previous"] = "first"
    min_best: Share = 0.6
    caption_temperature: Annotated[float, Field(gt=0)] = 1.0
    drawing_temperature: Annotated[float, Field(gt=0)] = 1.0


class Variant(Method):
    """The section's own settings but for those given here; `methods` empty takes the study's."""

    methods: tuple[str, ...] = ()


class HermesFlowSection(Method):
    """`question` asks for a caption, in curation, training and evaluation alike. `questions` says where the judge's
    come from: the source, or a rule-based maker. Settings of `Method` hold where a variant does not say otherwise.
    """

    inputs: Positive = 256
    question: str = CurationSettings.__dataclass_fields__["question"].default
    questions: Literal["source", "general", "world"] = "source"
    questions_per_input: Positive | None = None
    scorer: str = "content_f1"
    judge_wording: str = ""
    max_new_tokens: Positive = 64
    guidance: Annotated[float, Field(ge=1)] | None = None
    batch_size: Positive = 128
    seed: int = 0
    variants: tuple[Variant, ...] = ()


class RoundTraining(Section):
    """Settings of `bifrons.align` in each round; 4 + 4 pairs a step, beta and weight decay as published."""

    steps: Positive = 3000
    pairs_per_step: Positive = 4
    beta: Annotated[float, Field(gt=0)] = 0.2
    learning_rate: Annotated[float, Field(gt=0)] = 2e-5
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    clip: Annotated[float, Field(gt=0)] = 1.0
    rank: Positive = 64
    alpha: Annotated[float, Field(gt=0)] = 128.0
    dropout: Share = 0.05


class Condition(Section):
    """`of` is a metric; the cell of `method`, `round` and `setting` is compared with that of `against`, item by item.

    Against "" stands the value itself. The difference's paired bootstrap interval has to be `rule` of `value`: above or
    below it, or not_above / not_below by more than `margin`. With `later_round` the further gain from `round` to that
    one is taken off: above 0 then says that the first gain is the larger. `kind` keeps one kind of question.
    """

    of: str
    rule: Rule
    method: str = "pair_dpo"
    round: Annotated[int, Field(ge=0)] = 1
    setting: dict[str, int | float | str] = {}
    against: str = "base"
    against_round: Annotated[int, Field(ge=0)] = 0
    against_setting: dict[str, int | float | str] = {}
    later_round: Annotated[int, Field(ge=0)] = 0
    kind: str = ""
    value: float = 0.0
    margin: Annotated[float, Field(gt=0)] = 0.02


class Claim(Section):
    """A claim of the paper with the conditions that decide it, or the reason why nothing here can."""

    text: str
    conditions: tuple[Condition, ...] = ()
    not_testable: str = ""
    note: str = ""


class HomologousSource(Section):
    """Where images and captions come from, as in other studies. Only scenes have the exact verifier."""

    source: SourceName = "scenes"
    captions: Path | None = None
    instances: Path | None = None
    images: Path | None = None
    table: str = ""
    evaluation_share: Annotated[float, Field(gt=0, lt=1)] = 0.5

    @property
    def where(self) -> Source:
        """Raises ValueError for a setting that the source needs or does not have."""
        return Source(**{name: getattr(self, name) for name in type(self).model_fields})


class HermesFlowConfig(Section):
    """The whole of a study file with a [hermesflow] section."""

    title: str = "HermesFlow"
    description: str = ""
    model: str = "organism"
    revision: str = ""
    options: dict[str, Value] = {}  # of the model's family, as in other studies
    methods: tuple[str, ...] = ("pair_dpo",)
    seeds: tuple[int, ...] = (0,)
    data: HomologousSource = HomologousSource()
    hermesflow: HermesFlowSection = HermesFlowSection()
    training: RoundTraining = RoundTraining()
    evaluation: EvaluationSection = EvaluationSection()
    claims: tuple[Claim, ...] = ()

    def method_settings(self, variant: Variant | None) -> Method:
        own = {name: getattr(self.hermesflow, name) for name in Method.model_fields}
        given = {} if variant is None else {name: getattr(variant, name) for name in setting_names(variant)}
        return Method(**(own | given))


def setting_names(variant: Variant) -> list[str]:
    """What a variant sets otherwise, in the order of `Method`."""
    return [name for name in Method.model_fields if name in variant.model_fields_set]


def is_hermesflow(path: Path) -> bool:
    """Whether a study file has a [hermesflow] section; False where it cannot be read, which its reader then says."""
    try:
        return "hermesflow" in tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False


def read_hermesflow(path: Path, overrides: tuple[str, ...] = ()) -> HermesFlowConfig:
    """A study from its TOML file, with `key=value` overrides.

    Raises ValueError of one line that names the file and the key.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{path}: no such study file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, IsADirectoryError) as error:
        raise ValueError(f"{path}: not TOML ({error})") from None
    for override in overrides:
        override_in(values, override)
    try:
        config = HermesFlowConfig.model_validate(values)
    except ValidationError as error:
        raise ValueError(f"{path}: {first_problem(error)}") from None
    check(path, config)
    return config


def override_in(values: dict[str, Any], override: str) -> None:
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


def check(path: Path, config: HermesFlowConfig) -> None:
    try:
        scenes = config.data.where.source == "scenes"
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    chosen = (config.hermesflow, *config.hermesflow.variants)
    if not scenes and any(one.judge == "verifier" for one in chosen):
        raise ValueError(f"{path}: the verifier judges scenes, not {config.data.source}")
    if not config.seeds or not config.methods:
        raise ValueError(f"{path}: seeds and methods have to hold one value at least")
    for method in (*config.methods, *(name for v in config.hermesflow.variants for name in v.methods)):
        if method not in STRATEGIES and method not in PAIR_DPO and ":" not in method:
            raise ValueError(f"{path}: there is no method {method!r}; there are {', '.join((*PAIR_DPO, *STRATEGIES))}")
        if method == "fixed_weight":
            raise ValueError(f"{path}: fixed_weight holds the weights of another run; here give a constant strategy")
    seen: set[tuple[Any, ...]] = {(method,) for method in config.methods}
    for variant in config.hermesflow.variants:
        setting = [(name, getattr(variant, name)) for name in setting_names(variant) if name != "rounds"]
        for method in variant.methods or config.methods:
            if (method, *setting) in seen:
                raise ValueError(f"{path}: hermesflow.variants holds {method} twice with the same settings")
            seen.add((method, *setting))
    known = {*METRICS, *(metric.name for metric in GAP_METRICS)}
    for claim in config.claims:
        if bool(claim.conditions) == bool(claim.not_testable):
            raise ValueError(f"{path}: claim {claim.text!r} needs either conditions or not_testable")
        for condition in claim.conditions:
            if condition.of not in known:
                raise ValueError(f"{path}: claim {claim.text!r}: there is no metric {condition.of!r}")
