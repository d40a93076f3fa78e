"""A diagnosis in a folder: killed anywhere it goes on to the same record; another one is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_janus import generation_pairs, understanding_pairs

from bifrons.diagnostics.store import DiagnosisSettings, run_diagnosis
from bifrons.models.janus.model import JanusModel

U, G = understanding_pairs(4), generation_pairs(4)
SETTINGS = DiagnosisSettings(rank=4, alpha=8.0)


class Killed(Exception):
    """What stands for a kill: raised between two batches."""


def test_killed_and_run_again_equals_undisturbed(bare: JanusModel, tmp_path: Path) -> None:
    """Stopped in the gradients, then in the intervention, with half a line left: byte for byte the same record."""
    whole = run_diagnosis(bare, U, G, tmp_path / "whole", settings=SETTINGS, batches=3, cut_batches=2)
    for part, at in (("gradients", 1), ("gradients", 2), ("intervention", 1)):

        def stop(seen: str, done: int, part: str = part, at: int = at) -> None:
            if (seen, done) == (part, at):
                raise Killed

        with pytest.raises(Killed):
            run_diagnosis(bare, U, G, tmp_path / "cut", settings=SETTINGS, batches=3, cut_batches=2, on_batch=stop)
        assert bare.adapted is None, "the adapter is thrown away"
        file = tmp_path / "cut" / ("batches.jsonl" if part == "gradients" else "cuts.jsonl")
        file.write_text(file.read_text() + '{"batch": 99, "rec')
    told: list[tuple[str, int]] = []
    run_diagnosis(
        bare,
        U,
        G,
        tmp_path / "cut",
        settings=SETTINGS,
        batches=3,
        cut_batches=2,
        on_batch=lambda part, done: told.append((part, done)),
    )
    assert told == [("intervention", 2)]
    for name in ("diagnosis.json", "intervention.json", "config.json"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert whole["zero_a"] is True and len(whole["inter_task"]) == 3 and len(whole["intra_generation"]) == 2
    assert whole["recommendation"]["case"] == "too few"
    written = json.loads((tmp_path / "whole" / "diagnosis.json").read_text())
    assert written["statistics"]["cosine"] == whole["statistics"]["cosine"]

    more = run_diagnosis(bare, U, G, tmp_path / "cut", settings=SETTINGS, batches=4)
    assert more["inter_task"][:3] == whole["inter_task"], "more batches go on"
    with pytest.raises(ValueError, match="holds another diagnosis"):
        run_diagnosis(bare, U, G, tmp_path / "cut", settings=replace(SETTINGS, seed=1), batches=3)


def test_bad_settings() -> None:
    with pytest.raises(ValueError, match="beta is 0"):
        DiagnosisSettings(beta=0.0)
    with pytest.raises(ValueError, match="rank is 0"):
        _ = DiagnosisSettings(rank=0).adapter
