"""The page on bringing a model of one's own is a program: its blocks run, in order, as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "own_model.md"


@pytest.mark.slow
def test_the_page_runs() -> None:
    """It ends with the toy checked and trained; each of its six steps has a block."""
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) == 6
    space: dict[str, object] = {"__name__": "own_model"}
    for number, block in enumerate(blocks, start=1):
        exec(compile(block, f"{PAGE.name}, block {number}", "exec"), space)
    assert "run" in space
