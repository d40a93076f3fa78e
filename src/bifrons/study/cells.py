"""The grid: which cells a study has, and which cells each of them needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from bifrons.study.config import POST_HOC, StudyConfig

BASE = "base"
CellKind = Literal["base", "train", "soup", "separate"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One method with one seed and setting. `needs` names cells that have to be done before."""

    method: str
    seed: int
    kind: CellKind
    setting: tuple[tuple[str, float], ...] = ()
    needs: tuple[Cell, ...] = field(default=())

    @property
    def name(self) -> str:
        extra = "".join(f" {key} {value:g}" for key, value in self.setting)
        return self.method if self.kind == "base" else f"{self.method}{extra} seed {self.seed}"


def cells_of(config: StudyConfig) -> list[Cell]:
    """All cells in an order that respects their needs; the base first, cells of one seed together."""
    cells = [Cell(BASE, 0, "base")]
    for seed in config.seeds:
        made: dict[str, Cell] = {}
        trained = [method for method in config.methods if method not in POST_HOC]
        for method in sorted(trained, key=lambda name: name == "fixed_weight"):  # after gradient_weighted
            needs = (made["gradient_weighted"],) if method == "fixed_weight" else ()
            made[method] = Cell(method, seed, "train", needs=needs)
        cells += made.values()
        single = tuple(made[name] for name in ("understanding_only", "generation_only") if name in made)
        if "rewarded_soup" in config.methods:
            cells += [Cell("rewarded_soup", seed, "soup", (("weight", w),), single) for w in config.soup_weights]
        if "separate_lora" in config.methods:
            cells.append(Cell("separate_lora", seed, "separate", needs=single))
    return cells
