"""Reads the files of a diagnosis' folder: `diagnosis.json`, `intervention.json`, `dynamics.json`, `replay.json`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bifrons.records import Gramian
from bifrons.report.fields import Node, is_number
from bifrons.report.load import load_diagnosis, top


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure with its 95% interval and n. Where `value` or the interval is None, `reason` says why."""

    value: float | None
    low: float | None
    high: float | None
    n: int | None
    reason: str

    @property
    def interval(self) -> tuple[float, float] | None:
        return None if self.low is None or self.high is None else (self.low, self.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """A test: t, two-sided p and Cohen's d, or the reason why there is none."""

    t: float | None
    p: float | None
    cohens_d: float | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshModel:
    """A diagnosis without training."""

    model: str
    settings: dict[str, Any]
    total: tuple[Gramian, ...]
    layers: tuple[tuple[Gramian, ...], ...]
    intra_understanding: tuple[float, ...]
    intra_generation: tuple[float, ...]
    statistics: Node
    case: str
    strategy: str
    weights: tuple[float, float] | None
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CutPoint:
    understanding: int | None
    generation: int | None
    tokens: Figure
    ratio: Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervention:
    fit: Node
    points: tuple[CutPoint, ...]
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    strategy: str
    understanding: tuple[float, ...]
    generation: tuple[float, ...]
    generation_share: float | None
    flagged: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """A run's dynamics, and the weights of other strategies along it; the first of these are the run's own."""

    strategy: str
    cosine: tuple[float | None, ...]
    ratio: tuple[float | None, ...]
    statistics: Node
    replays: tuple[Replayed, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagnosisInputs:
    folder: Path
    fresh: FreshModel | None
    intervention: Intervention | None
    run: StoredRun | None


def load_folder(folder: Path) -> DiagnosisInputs:
    """Raises ValueError for a folder that holds none of the files, and for one that is not as it should be."""
    found = DiagnosisInputs(
        folder=folder,
        fresh=load_fresh(folder / "diagnosis.json"),
        intervention=load_intervention(folder / "intervention.json"),
        run=load_run(folder),
    )
    if found.fresh is None and found.run is None:
        raise ValueError(f"{folder}: holds neither diagnosis.json nor dynamics.json")
    return found


def load_fresh(file: Path) -> FreshModel | None:
    seen = load_diagnosis(file)
    if seen is None:
        return None
    root = top(file)
    if not root.has("statistics"):
        raise root.refuse("statistics", "an object")
    advice = root.node("recommendation")
    weights = advice.numbers("weights")
    return FreshModel(
        model=root.text("model", ""),
        settings={**root.node("definition").node("settings").value, **root.node("definition").node("scoring").value},
        total=seen.total,
        layers=seen.layers,
        intra_understanding=seen.intra_understanding,
        intra_generation=seen.intra_generation,
        statistics=root.node("statistics"),
        case=advice.text("case"),
        strategy=advice.text("strategy", ""),
        weights=(weights[0], weights[1]) if len(weights) == 2 else None,
        sentences=texts(advice, "sentences"),
    )


def load_intervention(file: Path) -> Intervention | None:
    if not file.is_file():
        return None
    fit = top(file).node("fit")
    points = tuple(
        CutPoint(
            understanding=node.whole("understanding"),
            generation=node.whole("generation"),
            tokens=figure_of(node, "tokens"),
            ratio=figure_of(node, "ratio"),
        )
        for node in fit.nodes("cuts", needed=True)
    )
    return Intervention(fit=fit, points=points, sentences=texts(fit, "sentences"))


def load_run(folder: Path) -> StoredRun | None:
    if not (folder / "dynamics.json").is_file():
        return None
    root = top(folder / "dynamics.json")
    series = root.node("series")
    replays: tuple[Replayed, ...] = ()
    if (folder / "replay.json").is_file():
        replays = tuple(
            Replayed(
                strategy=node.text("strategy"),
                understanding=node.numbers("understanding"),
                generation=node.numbers("generation"),
                generation_share=node.number("generation_share"),
                flagged=node.needed_whole("flagged"),
            )
            for node in top(folder / "replay.json").nodes("replays", needed=True)
        )
    return StoredRun(
        strategy=root.text("strategy"),
        cosine=gaps(series, "cosine"),
        ratio=gaps(series, "ratio"),
        statistics=root,
        replays=replays,
    )


def figure_of(node: Node, name: str) -> Figure:
    seen = node.node(name)
    return Figure(
        value=seen.number("value"),
        low=seen.number("low"),
        high=seen.number("high"),
        n=seen.whole("n"),
        reason=seen.text("reason", ""),
    )


def read_test(node: Node, name: str) -> Tested:
    seen = node.node(name)
    return Tested(
        t=seen.number("t"), p=seen.number("p"), cohens_d=seen.number("cohens_d"), reason=seen.text("reason", "")
    )


def texts(node: Node, name: str) -> tuple[str, ...]:
    value = node.value.get(name) or []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise node.refuse(name, "a list of sentences")
    return tuple(value)


def gaps(node: Node, name: str) -> tuple[float | None, ...]:
    """The numbers of a list with its nulls in their places."""
    value = node.value.get(name) or []
    if not isinstance(value, list) or not all(item is None or is_number(item) for item in value):
        raise node.refuse(name, "a list of numbers and nulls")
    return tuple(None if item is None else float(item) for item in value)
