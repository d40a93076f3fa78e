"""What lies beside the modules is installed with them: an editable install would not notice what a wheel lacks."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_every_file_beside_the_modules_is_package_data() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = settings["tool"]["setuptools"]["package-data"]["*"]
    beside = [
        path
        for path in (ROOT / "src" / "bifrons").rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc") and "__pycache__" not in path.parts
    ]
    assert any(path.name == "chat_template.jinja" for path in beside)
    assert [path.name for path in beside if not any(fnmatch(path.name, pattern) for pattern in patterns)] == []
