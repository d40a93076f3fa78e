"""What a report is made of: the nouns that `load` reads from a study's folder."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from bifrons.records import Gramian

Direction = Literal["higher", "lower", "neither"]
MethodKind = Literal["base", "train", "post_hoc"]
CellStatus = Literal["done", "failed", "missing"]
Setting = tuple[tuple[str, Any], ...]
Bounds = tuple[float, float]

SYMBOLS = {"beta": "β", "lambda": "λ", "weight": "λ", "interval": "K", "learning_rate": "learning rate"}
OF_A_METHOD = ("weight", "lambda")  # settings that make several rows of one method in the grid itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One measured quantity; `direction` says which way is better."""

    name: str
    label: str
    direction: Direction
    task: str
    primary: bool
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One row of the study's grid. A method that is not deployable needs to be told the task."""

    name: str
    label: str
    kind: MethodKind
    description: str = ""
    deployable: bool = True


@dataclass(frozen=True, slots=True)
class Variant:
    """A method under one setting, of one model, in one round: what a table row stands for."""

    method: str
    setting: Setting = ()
    round: int | None = None
    model: str = ""

    @property
    def is_varied(self) -> bool:
        """Whether it stands beside the grid, under another setting than the study's own."""
        return any(key not in OF_A_METHOD for key, _ in self.setting)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell of the grid and how it ended."""

    method: str
    seed: int
    setting: Setting
    key: str
    status: CellStatus
    reason: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairCount:
    """Preference pairs of one task: how many were kept, and how many were dropped by which cause."""

    kept: int
    dropped: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What was asked for: methods, metrics, cells, data and settings."""

    name: str
    title: str
    description: str
    model: str
    model_label: str
    created: str
    settings: dict[str, Any]
    metrics: tuple[Metric, ...]
    methods: tuple[Method, ...]
    cells: tuple[Cell, ...]
    pairs: dict[str, PairCount]
    margin_noise: dict[str, float | None]
    notes: tuple[str, ...]

    def method(self, name: str) -> Method:
        return next(method for method in self.methods if method.name == name)

    @property
    def primary_metrics(self) -> tuple[Metric, ...]:
        return tuple(metric for metric in self.metrics if metric.primary)

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(sorted({cell.seed for cell in self.cells}))

    def setting(self, name: str) -> Any:
        """A setting by its own name or by the last part of a dotted one; None where there is none."""
        return next((value for key, value in self.settings.items() if key.split(".")[-1] == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One metric of one variant, pooled over seeds. None means no data, and `reason` says why."""

    variant: Variant
    metric: str
    seeds: tuple[int, ...] = ()
    mean: float | None = None
    std: float | None = None
    n: int | None = None
    ci95: Bounds | None = None
    delta: float | None = None
    delta_ci95: Bounds | None = None
    welch_t: float | None = None
    p: float | None = None
    cohens_d: float | None = None
    standard_error: float | None = None
    bonferroni_p: float | None = None
    holm_p: float | None = None
    paired_p: float | None = None
    bootstrap_ci95: Bounds | None = None
    seed_std: float | None = None
    margin: float | None = None
    equivalence_p: float | None = None
    smallest_effect: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    mean: float | None
    std: float | None
    n: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalLoss:
    """The losses that a training run ended at; None for a task that it did not train."""

    variant: Variant
    seed: int
    understanding: float | None
    generation: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What was measured."""

    versions: dict[str, str]
    rows: tuple[Row, ...]
    cosine: Spread | None
    ratio: Spread | None
    training: tuple[FinalLoss, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """Gradients of the untrained model: a total and a tuple of layers a batch, and the two same-task calibrations."""

    total: tuple[Gramian, ...]
    layers: tuple[tuple[Gramian, ...], ...]
    intra_understanding: tuple[float, ...] = ()
    intra_generation: tuple[float, ...] = ()
    tests: dict[str, str | int | float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """One prompt and its pictures as base64 PNG; an empty text where there is none."""

    prompt: str
    chosen: str
    rejected: str
    drawn: dict[str, str]
    notes: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    image: str
    question: str
    truth: str
    answers: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gallery:
    drawings: tuple[Drawing, ...]
    answers: tuple[Answer, ...]

    @property
    def drawn(self) -> list[str]:
        """The methods that drew anything, in order of first appearance."""
        return list(dict.fromkeys(name for drawing in self.drawings for name in drawing.drawn))


def setting_text(setting: Setting) -> str:
    """A setting in words that does not break at its equals sign: `β = 0.05, pairs = 153`."""
    return ", ".join(
        f"{SYMBOLS.get(key, key.replace('_', ' '))}\u00a0=\u00a0{setting_value(value)}" for key, value in setting
    )


def setting_value(value: Any) -> str:
    return value.replace("_", " ") if isinstance(value, str) else str(value)


def variant_label(study: Study, variant: Variant) -> str:
    """A variant's label in prose and figures."""
    detail, label = variant_details(study, variant), study.method(variant.method).label
    return f"{label} ({detail})" if detail else label


def variant_details(study: Study, variant: Variant) -> str:
    """A variant's setting and round in words; the model is named only where it is not the study's own."""
    parts = [setting_text(variant.setting)]
    if variant.round is not None:
        parts.append(f"round {variant.round}")
    if variant.model not in ("", study.model):
        parts.append(variant.model)
    return ", ".join(part for part in parts if part)


def ordered_variants(study: Study, variants: Iterable[Variant]) -> list[Variant]:
    """Each variant once: model by model, then in the study's order of methods, then in the order of first
    appearance.
    """
    every = list(dict.fromkeys(variants))
    order = {method.name: place for place, method in enumerate(study.methods)}
    models = {model: place for place, model in enumerate(dict.fromkeys(v.model for v in every))}
    first = next((models[model] for model in ("", study.model) if model in models), 0)
    return sorted(every, key=lambda v: (models[v.model] if models[v.model] != first else -1, order[v.method]))
