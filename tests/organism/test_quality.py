"""The shipped organisms are the subjects that their cards say they are."""

from __future__ import annotations

import json
import math
from importlib.resources import files
from pathlib import Path

import pytest

import bifrons
from bifrons.organism.quality import drawing_figures, reader_figures, reading_figures
from bifrons.scorers.clip import EMBEDDED, load_clip
from bifrons.testing import check_model

WEIGHTS = Path(str(files("bifrons"))) / "organism" / "weights"
CARDS = {  # the organism's card is that of the CLIPs too
    "organism": WEIGHTS,
    "organism-small": WEIGHTS / "organism_small",
    "showo-organism": WEIGHTS / "showo_organism",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["organism", "showo-organism"])
def test_figures_of_the_card_are_found_again(name: str) -> None:
    """On fewer scenes each figure lies within four standard errors of the card's, and so does its bar."""
    measured: dict[str, float] = json.loads((CARDS[name] / "measured.json").read_text())
    model = bifrons.load(name)
    found = reader_figures(model, 0, 400) | reading_figures(model, 60, 7) | drawing_figures(model, 60, 7)
    for figure, (value, low, high) in found.items():
        if figure == "image tokens over mean answer tokens":
            assert low <= value <= high
            continue
        count = 400 if figure.startswith("reader") else 60
        share = min(max(measured[figure], 0.02), 0.98)
        slack = 4 * math.sqrt(share * (1 - share) / count)
        assert abs(value - measured[figure]) <= slack, figure
        assert low - slack <= value <= high + slack, figure


@pytest.mark.parametrize("name", CARDS)
def test_the_card_shows_the_measured_figures(name: str) -> None:
    """Every figure of `measured.json` stands in the card, rounded to three places; the weights are those that ship."""
    card = (CARDS[name] / "README.md").read_text()
    for figure, value in json.loads((CARDS[name] / "measured.json").read_text()).items():
        assert f"| {figure} | {value:.3f} |" in card
    assert f"fingerprint `{bifrons.load(name).identity.fingerprint}`" in card


@pytest.mark.slow
def test_the_showo_organism_keeps_the_promises_of_a_model() -> None:
    model = bifrons.load("showo-organism")
    assert model.identity.family == "showo"
    check_model(model)


def test_what_ships_is_small_and_safe() -> None:
    """Under 30 MB in all; no pickle; configuration, recipe, log and tokenizer beside the weights."""
    shipped = [path for path in WEIGHTS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in shipped) < 30_000_000
    assert {path.suffix for path in shipped} <= {".safetensors", ".json", ".jsonl", ".jinja", ".md"}
    names = {path.name for path in (WEIGHTS / "organism").iterdir()}
    assert names >= {"config.json", "model.safetensors", "recipe.json", "training_log.jsonl", "tokenizer.json"}
    names = {str(path.relative_to(WEIGHTS / "showo_organism")) for path in shipped if "showo_organism" in path.parts}
    assert names >= {"config.json", "model.safetensors", "phi/tokenizer.json", "magvitv2/model.safetensors"}


def test_the_two_clips_differ() -> None:
    """Curation and evaluation use networks of different shape and weights."""
    first, second = (load_clip(name) for name in EMBEDDED)
    assert first.fingerprint != second.fingerprint
    assert first.network.config.vision_config.hidden_size != second.network.config.vision_config.hidden_size
