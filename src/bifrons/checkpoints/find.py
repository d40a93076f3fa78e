"""A checkpoint by its embedded name, its folder, or its name on the Hugging Face hub."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OfflineModeIsEnabled

WEIGHTS = "*.safetensors"
SETTINGS = ("*.json", "*.jinja", "*.txt", "*.model")  # with the weights, all that is fetched: no pickle, no code
COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a checkpoint's files lie, and the commit that they are of; empty for a folder that knows none."""

    folder: Path
    revision: str


def find_checkpoint(
    name: str,
    embedded: Mapping[str, str],
    *,
    revision: str = "",
    kind: str = "model",
    own: str = "config.json",
    weights: bool = True,
) -> Checkpoint:
    """The folder of a checkpoint; one on the hub is fetched once and read from the hub's cache, offline too.

    `embedded` maps names to folders of this package, `revision` pins a hub name's branch, tag or commit, `own` is a
    file that every such folder holds; without `weights` only settings and words are fetched. Raises ValueError for a
    name that is none of these, a folder without `own`, a revision where there can be none, and a hub name that cannot
    be had.
    """
    path = Path(files("bifrons").joinpath(embedded[name])) if name in embedded else Path(name)  # pyright: ignore[reportArgumentType]
    if name in embedded or path.is_dir():
        if revision:
            raise ValueError(f"{name}: only a name on the hub has revisions, and {revision!r} was asked for")
        if not (path / own).is_file():
            raise ValueError(f"{name}: the folder holds no {own}")
        return Checkpoint(path, commit_of(path))
    if path.is_file():
        raise ValueError(f"{name}: is a file; give the folder of a checkpoint")
    if name.count("/") != 1:
        known = ", ".join(embedded)
        raise ValueError(f"no {kind} {name!r}: give {known}, a folder, or a hub name such as owner/model")
    return from_hub(name, revision, own, weights=weights)


def from_hub(name: str, revision: str, own: str, *, weights: bool) -> Checkpoint:
    patterns = [*SETTINGS, WEIGHTS] if weights else [*SETTINGS]
    try:
        folder = Path(snapshot_download(name, revision=revision or None, allow_patterns=patterns))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OfflineModeIsEnabled, OSError) as error:
        asked = f" at revision {revision!r}" if revision else ""
        cause = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ValueError(
            f"{name}: there is no such folder here, and the Hugging Face hub gives no such repository{asked} ({cause})"
        ) from None
    if not (folder / own).is_file():
        raise ValueError(f"{name}: the repository holds no {own}")
    return Checkpoint(folder, commit_of(folder))


def commit_of(folder: Path) -> str:
    """The commit of a folder in the hub's cache (`snapshots/<commit>`), which its name says; else empty."""
    path = folder.absolute()
    return path.name if path.parent.name == "snapshots" and COMMIT.fullmatch(path.name) else ""
