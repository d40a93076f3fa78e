"""What a study left on disk, as claims look at it: cells, per-item scores, losses, steps, diagnosis, controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bifrons.records import StepRecord, read_json, read_steps


@dataclass(frozen=True, slots=True)
class Run:
    """One run's scores of one metric: by item, or one value of the whole set."""

    seed: int
    items: Mapping[str, float]
    value: float | None


@dataclass(slots=True)
class Records:
    """A study's folder. `study` and `results` are the content of its files; `scores` that of `items.json`, and each of
    the rest is {} where there is no file.
    """

    folder: Path
    study: dict[str, Any]
    results: dict[str, Any]
    scores: dict[str, Any]
    controls: dict[str, Any]

    @property
    def model(self) -> str:
        """The study's first model."""
        return str(self.study.get("model", ""))

    def runs(self, model: str, method: str, setting: Mapping[str, Any], metric: str) -> list[Run]:
        """The runs of a method under a setting that have this metric, by seed."""
        found: list[Run] = []
        for run in self.scores.get("runs", ()):
            if (run["model"], run["method"]) != (model, method) or not same(run["setting"], setting):
                continue
            score = run["scores"].get(metric)
            if score is not None:
                keys = self.scores["keys"][score["keys"]] if score.get("keys") is not None else ()
                found.append(
                    Run(run["seed"], dict(zip(keys, score.get("values", ()), strict=True)), score.get("value"))
                )
        return sorted(found, key=lambda run: run.seed)

    def losses(self, model: str, method: str, setting: Mapping[str, Any]) -> dict[int, dict[str, float | None]]:
        """Final losses by seed."""
        return {
            row["seed"]: row
            for row in self.results.get("training", ())
            if row["method"] == method and row.get("model", model) == model and same(row.get("setting", {}), setting)
        }

    def steps(self, model: str, method: str, setting: Mapping[str, Any]) -> list[list[StepRecord]]:
        """Step records of every finished run."""
        files = [
            self.folder / cell["key"] / "steps.jsonl"
            for cell in self.study.get("cells", ())
            if (cell["method"], cell["status"]) == (method, "done")
            and cell.get("model", model) == model
            and same(cell.get("setting", {}), setting)
        ]
        return [read_steps(file) for file in files if file.is_file()]

    def file(self, stem: str, model: str) -> dict[str, Any]:
        """`diagnosis.json` or `intervention.json` of a model; {} where there is none."""
        name = f"{stem}.json" if model == self.model else f"{stem}-{Path(model).name}.json"
        for path in (self.folder / name, self.folder / "diagnosis" / name):
            if path.is_file():
                return read_json(path)
        return {}

    def why_missing(self, model: str, method: str, setting: Mapping[str, Any]) -> str:
        """Why there are no records of a method under a setting."""
        if model not in (self.study.get("models") or [self.model]):
            return f"the study has no model {model}"
        cells = [c for c in self.study.get("cells", ()) if c["method"] == method and c.get("model", model) == model]
        if not cells:
            return f"the study has no method {method}"
        cells = [c for c in cells if same(c.get("setting", {}), setting)]
        if not cells:
            return f"the study has no {method} with {described(setting)}"
        reasons = [c.get("reason") or f"{method} is {c['status']}" for c in cells if c["status"] != "done"]
        return "; ".join(dict.fromkeys(reasons)) or f"no record of {method} holds it"


def load_records(folder: Path) -> Records:
    """Read a study's folder. Raises ValueError for one without `study.json` or `results.json`."""

    def optional(name: str) -> dict[str, Any]:
        path = folder / name
        return read_json(path) if path.is_file() else {}

    return Records(
        folder,
        read_json(folder / "study.json"),
        read_json(folder / "results.json"),
        optional("items.json"),
        optional("controls.json"),
    )


def pack_scores(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The layout of `items.json`: lists of item ids once, scores as lists beside them.

    A run has `model`, `method`, `setting`, `seed` and `scores`: items by id and the value of the whole set, by metric.
    """
    places: dict[tuple[str, ...], int] = {}
    packed: list[dict[str, Any]] = []
    for run in runs:
        scores: dict[str, Any] = {}
        for metric, score in run["scores"].items():
            if score["value"] is not None:
                scores[metric] = {"value": score["value"]}
            elif score["items"]:
                keys = places.setdefault(tuple(score["items"]), len(places))
                scores[metric] = {"keys": keys, "values": list(score["items"].values())}
        packed.append({name: run[name] for name in ("model", "method", "setting", "seed")} | {"scores": scores})
    return {"keys": [list(keys) for keys in places], "runs": packed}


def same(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    return dict(first) == dict(second)


def described(setting: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in setting.items()) or "the study's own setting"
