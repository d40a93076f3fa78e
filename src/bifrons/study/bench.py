"""What cells are run on: one model at a time, and the data of each setting, built or read once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bifrons.models import load
from bifrons.protocol import UnifiedModel
from bifrons.records import run_key
from bifrons.scorers.clip import ClipScorer, load_clip
from bifrons.study.config import StudyConfig
from bifrons.study.data import StudyData, load_data

UNDERSTANDING_DATA = (
    "understanding_questions",
    "understanding_file",
    "min_margin_understanding",
    "max_understanding",
    "seed",
)


def load_as(name: str, config: StudyConfig) -> UnifiedModel:
    """A model in the revision and dtype of the study, with its options."""
    import torch

    dtype = None if config.dtype == "auto" else getattr(torch, config.dtype)
    return load(name, revision=config.revision, dtype=dtype, options=config.options)


@dataclass(slots=True)
class Bench:
    """`model` and `data` give what they gave before as long as the same is asked for."""

    config: StudyConfig
    folder: Path
    say: Callable[[str], None]
    clip: ClipScorer = field(init=False)
    name: str = ""
    loaded: UnifiedModel | None = None
    known: dict[Path, StudyData] = field(default_factory=dict)

    def __post_init__(self) -> None:
        curation, self.clip = load_clip(self.config.data.curation_clip), load_clip(self.config.evaluation.clip)
        if curation.fingerprint == self.clip.fingerprint:
            raise ValueError(
                "data.curation_clip and evaluation.clip have the same weights: what built the data may not judge it"
            )

    def model(self, name: str) -> UnifiedModel:
        """The model of that name; one that was loaded before is dropped first."""
        if self.loaded is None or self.name != name:
            self.loaded, self.known = None, {}
            self.say(f"loading {name}")
            self.loaded, self.name = load_as(name, self.config), name
        return self.loaded

    def data(self, config: StudyConfig) -> StudyData:
        """The pairs of a config of this study: those of the first model and the study's own setting lie in `pairs/`,
        others below it.
        """
        own = self.config.under(config.model, ())
        folder = self.data_folder(config)
        if folder not in self.known:
            settings = config.data
            same = all(getattr(settings, name) == getattr(own.data, name) for name in UNDERSTANDING_DATA)
            if settings != own.data and same:  # the answers are those of the study's own setting
                self.data(own)
                answers = self.data_folder(own) / "understanding.parquet"
                config = config.model_copy(update={"data": settings.model_copy(update={"understanding_file": answers})})
            self.known[folder] = load_data(config, self.model(config.model), folder, self.say)
        return self.known[folder]

    def data_folder(self, config: StudyConfig) -> Path:
        pairs = self.folder / "pairs"
        if config.model == self.config.all_models[0] and config.data == self.config.data:
            return pairs
        return pairs / run_key({"model": config.model, "data": config.data.model_dump(mode="json")})
