"""The studies of Janus-Pro parse, are the paper's, and say without the weights what they would do."""

from __future__ import annotations

from pathlib import Path

import huggingface_hub.constants
import pytest

from bifrons.evaluation import METRICS
from bifrons.models import KNOWN
from bifrons.study import estimate, read_study
from bifrons.study.config import POST_HOC

STUDIES = Path(__file__).parents[2] / "studies"
SIZES = pytest.mark.parametrize("size", ["1b", "7b"])


@SIZES
def test_the_settings_are_the_papers(size: str) -> None:
    config = read_study(STUDIES / f"janus_pro_{size}.toml")
    assert config.model == f"deepseek-community/Janus-Pro-{size.upper()}" and config.model in KNOWN
    assert config.seeds == (0, 1, 2) and set(POST_HOC) <= set(config.methods)
    training, data = config.training, config.data
    assert (training.rank, training.alpha, training.dropout, training.steps) == (64, 128, 0.05, 1000)
    assert (training.beta, training.clip, training.weight_decay, training.pairs_per_step) == (0.1, 1.0, 0.01, 1)
    assert (data.source, data.generation_prompts, data.max_understanding, data.max_generation) == (
        "coco",
        400,
        1300,
        288,
    )
    assert (data.curation_clip, config.evaluation.clip) == (
        "openai/clip-vit-base-patch32",
        "openai/clip-vit-large-patch14",
    )
    assert config.evaluation.items == 200 and config.diagnosis.batches == 200


@SIZES
def test_every_claim_can_be_judged_or_says_why_not(size: str) -> None:
    """All twenty, in order; what they measure is measured, under settings that the study runs."""
    config = read_study(STUDIES / f"janus_pro_{size}.toml")
    assert [claim.number for claim in config.claims] == list(range(1, 21))
    varied = [dict(s) for vary in config.vary for s in vary.combinations]
    known = [{key.rpartition(".")[2]: value for key, value in setting.items()} for setting in varied]
    known += [{"weight": weight} for weight in config.soup_weights]
    for claim in config.claims:
        for condition in (*claim.conditions, *claim.requires):
            assert not condition.is_metric or condition.of in METRICS, condition
            assert not condition.setting or condition.setting in known, condition
            assert not condition.model


@SIZES
def test_without_the_weights_the_cells_are_listed(size: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Offline and with an empty cache: every cell by name, no times, and where to find estimates."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    lines = estimate(read_study(STUDIES / f"janus_pro_{size}.toml")).splitlines()
    count = int(lines[0].split()[0])
    assert count > 30 and len(lines) == count + 3
    assert lines[-2].startswith(f"no times: deepseek-community/Janus-Pro-{size.upper()}: there is no such folder here")
    assert "bifrons models --shapes" in lines[-1]
