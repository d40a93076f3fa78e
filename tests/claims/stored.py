"""A study's records made by hand: every statistic of a claim can be set and its verdict known beforehand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bifrons.claims import Records, load_records, pack_scores
from bifrons.records import Gramian, StepRecord, TaskStep, Weights, step_to_line

ITEMS = 80


def scores(shift: float, seed: int, *, noise: float = 0.1) -> dict[str, float]:
    """Scores of the same items, about 1 apart from each other, moved by `shift`."""
    items = np.random.default_rng(0).normal(3.0, 1.0, ITEMS)
    moved = items + shift + np.random.default_rng(seed + 1).normal(0.0, noise, ITEMS)
    return {f"item {i}": float(value) for i, value in enumerate(moved)}


class Stored:
    """What is added here is written by `records`, as a study would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runs: list[dict[str, Any]] = []
        self.cells: list[dict[str, Any]] = []
        self.training: list[dict[str, Any]] = []

    def add(
        self,
        method: str,
        metrics: dict[str, Any],
        *,
        seed: int = 0,
        setting: dict[str, Any] | None = None,
        model: str = "m",
        steps: Sequence[StepRecord] = (),
        losses: tuple[float | None, float | None] | None = None,
        status: str = "done",
        reason: str = "",
    ) -> Stored:
        """One run; a metric is a mapping of items, or one value of the whole set."""
        shared = {"model": model, "method": method, "setting": setting or {}, "seed": seed}
        key = f"{model}-{method}-{seed}-{len(self.cells)}"
        found = {
            name: {"items": value, "value": None} if isinstance(value, dict) else {"items": {}, "value": value}
            for name, value in metrics.items()
        }
        self.cells.append(shared | {"key": key, "status": status, "reason": reason})
        if status == "done":
            self.runs.append(shared | {"scores": found})
        if losses is not None:
            self.training.append(shared | {"loss_understanding": losses[0], "loss_generation": losses[1]})
        if steps:
            (self.folder / key).mkdir()
            (self.folder / key / "steps.jsonl").write_text("".join(f"{step_to_line(step)}\n" for step in steps))
        return self

    def file(self, name: str, content: Any) -> Stored:
        (self.folder / name).write_text(json.dumps(content))
        return self

    def records(self) -> Records:
        models = list(dict.fromkeys(cell["model"] for cell in self.cells)) or ["m"]
        self.file("study.json", {"model": "m", "models": models, "cells": self.cells})
        self.file("results.json", {"training": self.training, "rows": []})
        self.file("items.json", pack_scores(self.runs))
        return load_records(self.folder)


def diagnosis(cosine: float, ratio: float, *, batches: int = 60, spread: float = 0.05) -> dict[str, Any]:
    """Mini-batches whose cosines and ratios vary a little about these values, two layers, and same-task cosines."""
    rng = np.random.default_rng(0)

    def gramian() -> dict[str, float]:
        c, r = float(np.clip(rng.normal(cosine, spread), -1, 1)), ratio * float(np.exp(rng.normal(0, spread)))
        return {"uu": 1.0, "ug": c * r, "gg": r * r}

    return {
        "inter_task": [gramian() | {"layers": [gramian(), gramian()]} for _ in range(batches)],
        "intra_understanding": [float(v) for v in rng.normal(0.3, 0.05, batches - 1)],
        "intra_generation": [float(v) for v in rng.normal(0.0, 0.02, batches - 1)],
        "statistics": {"per_token": {"value": 1.4, "low": 1.3, "high": 1.5, "n": batches, "reason": ""}},
    }


def steps(cosine: float, weights: tuple[float, float], *, count: int = 100, seed: int = 0) -> list[StepRecord]:
    """A run of both tasks, 10 tokens an answer and 80 a drawing."""
    rng = np.random.default_rng(seed)
    shared = {"loss": 0.6, "margin": 0.0, "accuracy": 0.5, "chosen_log_ratio": 0.0, "rejected_log_ratio": 0.0}
    return [
        StepRecord(
            step=i,
            understanding=TaskStep(**shared, num_tokens=10.0, records=("u",)),
            generation=TaskStep(**shared, num_tokens=80.0, records=("g",)),
            gramian=Gramian(1.0, float(rng.normal(cosine, 0.05)) * 10.0, 100.0),
            layers=(),
            weights=Weights(*weights),
        )
        for i in range(count)
    ]
