"""The weights of a checkpoint against its configuration: every name and shape, before anything large is read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from bifrons.records import read_json

STEMS = ("model",)
Shapes = dict[str, tuple[int, ...]]
SHOWN = 3


def compare(wanted: Shapes, found: Shapes, name: str) -> None:
    """Raises ValueError for weights that are missing, unknown or of another shape, each with names."""
    missing, unknown = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
    if missing or unknown:
        said = [f"lacks {listed(missing)}"] * bool(missing) + [f"holds the unknown {listed(unknown)}"] * bool(unknown)
        raise ValueError(f"{name}: its weights are not those of its config.json: the checkpoint {' and '.join(said)}")
    for key, shape in wanted.items():
        if found[key] != shape:
            raise ValueError(f"{name}: {key} is of shape {list(found[key])}, and by config.json of {list(shape)}")


def listed(names: list[str]) -> str:
    rest = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + rest


def weight_files(folder: Path, name: str, stems: Sequence[str] = STEMS, advice: str = "") -> list[str]:
    """The safetensors files of a checkpoint: `<stem>.safetensors` or the shards of its index, for the first stem that
    there is.

    Raises ValueError where there is none, and for a shard that is missing.
    """
    for stem in stems:
        single, index = f"{stem}.safetensors", f"{stem}.safetensors.index.json"
        if (folder / single).is_file():
            return [single]
        if (folder / index).is_file():
            placed = read_json(folder / index).get("weight_map")
            if not isinstance(placed, dict) or not placed:
                raise ValueError(f"{folder / index}: holds no weight_map")
            files = sorted(set(placed.values()))
            for file in files:
                if Path(file).name != file or not (folder / file).is_file():
                    raise ValueError(f"{name}: the weight file {file!r}, which the index names, is not in the folder")
            return files
    either = f"{stems[0]}.safetensors or {stems[0]}.safetensors.index.json"
    raise ValueError(f"{name}: holds no safetensors weights ({either}); {advice or 'other formats are not loaded'}")


def stored_shapes(folder: Path, name: str, files: Sequence[str] | None = None) -> Shapes:
    """Names and shapes that the files' headers say, whether one file or shards with an index.

    Raises ValueError for a file that is missing or damaged.
    """
    found: Shapes = {}
    for file in weight_files(folder, name) if files is None else files:
        try:
            with safe_open(folder / file, "pt") as stored:
                found |= {key: tuple(stored.get_slice(key).get_shape()) for key in stored.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise ValueError(f"{name}: {file} is no whole safetensors file ({error})") from None
    return found


def fingerprint(state: Mapping[str, Tensor]) -> str:
    """A hash of every weight's name, shape, dtype and content (its bytes: sums would not tell two orders apart)."""
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()[:20]
