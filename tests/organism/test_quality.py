"""The shipped organism is the subject that its card says it is."""

from __future__ import annotations

import json
import math
from importlib.resources import files
from pathlib import Path

import pytest

import bifrons
from bifrons.models.janus.model import JanusModel
from bifrons.organism.quality import drawing_figures, reader_figures, reading_figures
from bifrons.scorers.clip import EMBEDDED, load_clip

WEIGHTS = Path(str(files("bifrons"))) / "organism" / "weights"
MEASURED: dict[str, float] = json.loads((WEIGHTS / "measured.json").read_text())


@pytest.mark.slow
def test_figures_of_the_card_are_found_again() -> None:
    """On fewer scenes each figure lies within four standard errors of the card's, and so does its bar."""
    model = bifrons.load("organism")
    assert isinstance(model, JanusModel)
    found = reader_figures(model, 0) | reading_figures(model, 60, 7) | drawing_figures(model, 60, 7)
    for name, (value, low, high) in found.items():
        if name == "image tokens over mean answer tokens":
            assert low <= value <= high
            continue
        count = 2000 if name.startswith("reader") else 60
        share = min(max(MEASURED[name], 0.02), 0.98)
        slack = 4 * math.sqrt(share * (1 - share) / count)
        assert abs(value - MEASURED[name]) <= slack, name
        assert low - slack <= value <= high + slack, name


@pytest.mark.parametrize("folder", [WEIGHTS, WEIGHTS / "organism_small"], ids=["organism", "organism-small"])
def test_the_card_shows_the_measured_figures(folder: Path) -> None:
    """Every figure of `measured.json` stands in the card, rounded to three places."""
    card = (folder / "README.md").read_text()
    for name, value in json.loads((folder / "measured.json").read_text()).items():
        assert f"| {name} | {value:.3f} |" in card


def test_what_ships_is_small_and_safe() -> None:
    """Under 20 MB in all; no pickle; configuration, recipe, log and tokenizer beside the weights."""
    shipped = [path for path in WEIGHTS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in shipped) < 20_000_000
    assert {path.suffix for path in shipped} <= {".safetensors", ".json", ".jsonl", ".jinja", ".md"}
    names = {path.name for path in (WEIGHTS / "organism").iterdir()}
    assert names >= {"config.json", "model.safetensors", "recipe.json", "training_log.jsonl", "tokenizer.json"}


def test_the_two_clips_differ() -> None:
    """Curation and evaluation use networks of different shape and weights."""
    first, second = (load_clip(name) for name in EMBEDDED)
    assert first.fingerprint != second.fingerprint
    assert first.network.config.vision_config.hidden_size != second.network.config.vision_config.hidden_size
