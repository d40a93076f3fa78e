"""A push goes where it was told to go, privately, and what the hub refuses is one line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub.errors import HFValidationError

from bifrons.export import push


class Api:
    """Records what it is asked for."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def create_repo(self, repository: str, **settings: Any) -> None:
        self.calls.append((repository, settings))

    def upload_folder(self, **settings: Any) -> str:
        self.calls.append(("upload", settings))
        return "https://hub.example/owner/name/commit/1"


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    made = Api()
    monkeypatch.setattr(sys.modules["bifrons.export.push"], "HfApi", lambda: made)
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "README.md").write_text("# card")
    return tmp_path


@pytest.mark.parametrize("private", [True, False])
def test_a_folder_is_uploaded_where_it_was_told_to(api: Api, folder: Path, private: bool) -> None:
    assert push(folder, "owner/name", private=private).startswith("https://hub.example")
    created, uploaded = api.calls
    assert created == ("owner/name", {"private": private, "exist_ok": True})
    assert uploaded[1]["repo_id"] == "owner/name" and uploaded[1]["folder_path"] == folder


def test_private_unless_asked_otherwise(api: Api, folder: Path) -> None:
    push(folder, "owner/name")
    assert api.calls[0][1]["private"] is True


@pytest.mark.parametrize("name", ["name", "a/b/c", ""])
def test_a_name_that_is_none_is_refused_before_anything_is_sent(api: Api, folder: Path, name: str) -> None:
    with pytest.raises(ValueError, match="is no name on the hub"):
        push(folder, name)
    assert api.calls == []


def test_a_folder_that_no_export_made_is_refused(api: Api, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"holds no README\.md"):
        push(tmp_path, "owner/name")
    assert api.calls == []


@pytest.mark.parametrize("error", [HFValidationError("bad name\nand more"), OSError("no network")])
def test_what_the_hub_refuses_is_one_line(
    api: Api, folder: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(api, "create_repo", refuse)
    with pytest.raises(ValueError, match=r"owner/name: the hub refused the upload \((bad name|no network)\)"):
        push(folder, "owner/name")
