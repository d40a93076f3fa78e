"""The weights of a checkpoint against its configuration: every name and shape, before anything large is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from transformers import JanusForConditionalGeneration

from bifrons.records import read_json

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
Shapes = dict[str, tuple[int, ...]]
SHOWN = 3


def check_weights(found: Shapes, name: str, config: Any) -> None:
    """Raises ValueError for weights that are missing, unknown or of another shape, each with names."""
    with torch.device("meta"):
        wanted = {key: tuple(t.shape) for key, t in JanusForConditionalGeneration(config).state_dict().items()}
    missing, unknown = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
    if missing == ["lm_head.weight"] and not unknown:
        raise ValueError(
            f"{name}: has no text head of its own (lm_head.weight): it was saved with tied word embeddings; save it "
            "with tie_word_embeddings=False, as Janus is"
        )
    if missing or unknown:
        said = [f"lacks {listed(missing)}"] * bool(missing) + [f"holds the unknown {listed(unknown)}"] * bool(unknown)
        raise ValueError(f"{name}: its weights are not those of its config.json: the checkpoint {' and '.join(said)}")
    for key, shape in wanted.items():
        if found[key] != shape:
            raise ValueError(f"{name}: {key} is of shape {list(found[key])}, and by config.json of {list(shape)}")


def listed(names: list[str]) -> str:
    rest = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + rest


def stored_shapes(folder: Path, name: str) -> Shapes:
    """Names and shapes that the files' headers say, whether one file or shards with an index.

    Raises ValueError for a file that is missing or damaged.
    """
    if (folder / SINGLE).is_file():
        files = [SINGLE]
    elif (folder / INDEX).is_file():
        placed = read_json(folder / INDEX).get("weight_map")
        if not isinstance(placed, dict) or not placed:
            raise ValueError(f"{folder / INDEX}: holds no weight_map")
        files = sorted(set(placed.values()))
    else:
        raise ValueError(f"{name}: holds no safetensors weights ({SINGLE} or {INDEX}); other formats are not loaded")
    found: Shapes = {}
    for file in files:
        if Path(file).name != file or not (folder / file).is_file():
            raise ValueError(f"{name}: the weight file {file!r}, which the index names, is not in the folder")
        try:
            with safe_open(folder / file, "pt") as stored:
                found |= {key: tuple(stored.get_slice(key).get_shape()) for key in stored.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise ValueError(f"{name}: {file} is no whole safetensors file ({error})") from None
    return found
