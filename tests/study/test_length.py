"""`length.json` is made of stored items alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bifrons.study.cells import Cell
from bifrons.study.length import SCORES, write_length
from bifrons.study.work import Outcome


def outcome(method: str, seed: int, lengths: list[float], scores: list[float], **of_cell: Any) -> Outcome:
    def stored(values: list[float]) -> dict[str, Any]:
        return {"items": {str(i): value for i, value in enumerate(values)}, "value": None, "reason": ""}

    evaluation = {"scores": {"response_length": stored(lengths)} | {name: stored(scores) for name in SCORES}}
    return Outcome(Cell(method, seed, "train", "organism", **of_cell), "done", evaluation=evaluation)


def test_seeds_are_pooled_and_varied_cells_left_out(tmp_path: Path) -> None:
    """Soups of two weights are two methods; a failed cell and one of another beta are none."""
    outcomes = [
        outcome("base", 0, [1, 2, 3], [1, 2, 3]),
        outcome("pcgrad", 0, [4, 5, 6], [1, 2, 3]),
        outcome("pcgrad", 1, [5, 6, 7], [1, 2, 3]),
        outcome("pcgrad", 0, [9, 9, 9], [9, 9, 9], setting=(("training.beta", 0.5),)),
        outcome("rewarded_soup", 0, [1, 2, 4], [1, 2, 3], weight=0.25),
        outcome("rewarded_soup", 0, [1, 2, 5], [1, 2, 3], weight=0.5),
        Outcome(Cell("naive_joint", 0, "train", "organism"), "failed", "the moon is full"),
    ]
    write_length(tmp_path, outcomes)
    found = json.loads((tmp_path / "length.json").read_text())["organism"]["vqa_score"]
    rows = {row["method"]: row for row in found["rows"]}
    assert set(rows) == {"base", "pcgrad", "rewarded_soup 0.25", "rewarded_soup 0.5"}
    assert rows["pcgrad"]["n"] == 6 and rows["pcgrad"]["mean_words"] == pytest.approx(5.5)
    assert rows["pcgrad"]["score_per_word"] == pytest.approx(12 / 33)
    assert found["correlation"]["within"]["r"] > 0.9
