"""The grid: which cells a study has, and which cells each of them needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from typing import Literal

from bifrons.study.config import POST_HOC, Setting, StudyConfig, Value

BASE = "base"
CellKind = Literal["base", "train", "soup", "separate"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One method of one model with one seed. `needs` names cells that have to be done before.

    `setting` holds what differs from the study's own settings, by dotted key; `weight` is a soup's.
    """

    method: str
    seed: int
    kind: CellKind
    model: str = ""
    setting: Setting = ()
    weight: float | None = None
    needs: tuple[Cell, ...] = field(default=())

    @property
    def shown(self) -> Setting:
        """The setting in the words of records and reports: `beta`, not `training.beta`."""
        own = tuple((key.rpartition(".")[2], value) for key, value in self.setting)
        return own if self.weight is None else (("weight", self.weight), *own)

    @property
    def name(self) -> str:
        values = ((key, f"{value:g}" if isinstance(value, float) else value) for key, value in self.shown)
        extra = "".join(f" {key} {value}" for key, value in values)
        return self.method if self.kind == "base" else f"{self.method}{extra} seed {self.seed}"


def cells_of(config: StudyConfig) -> list[Cell]:
    """All cells in an order that respects their needs: model by model, its base first, cells of one seed together, what
    is varied last.
    """
    cells: list[Cell] = []
    for model in config.all_models:
        cells.append(Cell(BASE, 0, "base", model))
        for seed in config.seeds:
            cells += grid_cells(config, model, seed)
        cells += [cell for cell in varied_cells(config, model) if cell not in cells]
    return cells


def grid_cells(config: StudyConfig, model: str, seed: int) -> list[Cell]:
    """The study's methods at its own setting."""
    made: dict[str, Cell] = {}
    trained = [method for method in config.methods if method not in POST_HOC]
    for method in sorted(trained, key=lambda name: name == "fixed_weight"):  # after gradient_weighted
        needs = (made["gradient_weighted"],) if method == "fixed_weight" else ()
        made[method] = Cell(method, seed, "train", model, needs=needs)
    cells = list(made.values())
    single = tuple(made[name] for name in ("understanding_only", "generation_only") if name in made)
    if "rewarded_soup" in config.methods:
        cells += [Cell("rewarded_soup", seed, "soup", model, (), w, single) for w in config.soup_weights]
    if "separate_lora" in config.methods:
        cells.append(Cell("separate_lora", seed, "separate", model, needs=single))
    return cells


def varied_cells(config: StudyConfig, model: str) -> list[Cell]:
    """The cells of [[vary]], each once; a combination that changes nothing is the grid's own cell."""
    cells: dict[Cell, None] = {}
    for vary in config.vary:
        if model not in (vary.models or config.all_models):
            continue
        for setting in vary.combinations:
            for seed in vary.seeds or config.seeds:
                for method in vary.methods:
                    cells[Cell(method, seed, "train", model, differing(config, setting))] = None
    return list(cells)


def differing(config: StudyConfig, setting: Setting) -> Setting:
    """The settings that are not the study's own, or would not be beside the others: a loss brings its own beta."""

    def without(key: str) -> StudyConfig:
        return config.under(config.model, tuple(other for other in setting if other[0] != key))

    return tuple((k, v) for k, v in setting if v != own(config, k) or v != own(without(k), k))


def own(config: StudyConfig, key: str) -> Value | None:
    return reduce(getattr, key.split("."), config)  # type: ignore[return-value]
