"""Every command of the documents is one that the program takes: its verbs, options and values parse."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main

from bifrons.cli.main import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
START = re.compile(r"^(?:\S+ .*-m )?bifrons ")


def commands(page: Path) -> list[str]:
    """Those in blocks, continued lines joined, and those between backticks in the text."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```(?:sh|bash)?\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]
    return [line for line in (*lines, *spans) if START.match(line) and "VERB" not in line]


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=lambda page: page.name)
def test_every_command_parses(page: Path) -> None:
    for line in commands(page):
        words = [word for word in shlex.split(line, comments=True) if word not in ("...", "--help")]
        words = words[words.index("bifrons") + 1 :]
        command: Any = typer.main.get_command(app)
        while hasattr(command, "commands") and words:
            assert words[0] in command.commands, f"{page.name}: {line}: there is no {words[0]}"
            command = command.commands[words.pop(0)]
        if words:  # a verb alone is a name for it
            try:
                command.make_context(command.name, words)
            except Exception as error:
                raise AssertionError(f"{page.name}: {line}: {error}") from error
