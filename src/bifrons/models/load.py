"""One function from a name to a model."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from bifrons.protocol import UnifiedModel

EMBEDDED = {"organism": "organism/weights/organism"}  # shipped with the package, as folders in the Hugging Face layout
FAMILIES = ("janus",)


def load(
    name: str = "organism", *, revision: str = "", adapter: str | Path | None = None, dtype: Any = None
) -> UnifiedModel:
    """A unified model: `organism` (embedded), a local folder, or the name of a checkpoint on the Hugging Face hub.

    The organism runs in fp32 unless `dtype` says otherwise; a checkpoint in the dtype of its files. Raises ValueError
    for a name that is neither embedded nor a folder nor of the hub's form, and for a family that is not supported.
    """
    import torch

    from bifrons.models import janus

    folder = str(files("bifrons").joinpath(EMBEDDED[name])) if name in EMBEDDED else name
    if name in EMBEDDED:
        dtype = dtype or torch.float32
    path = Path(folder)
    if path.is_dir():
        config = path / "config.json"
        if not config.is_file():
            raise ValueError(f"{name}: the folder holds no config.json")
        family = json.loads(config.read_text(encoding="utf-8")).get("model_type", "")
        if family not in FAMILIES:
            raise ValueError(f"{name}: model type {family!r} is not supported; supported are {', '.join(FAMILIES)}")
    elif name.count("/") != 1:
        raise ValueError(f"no model {name!r}: give {', '.join(EMBEDDED)}, a folder, or a hub name such as owner/model")
    model = janus.from_folder(folder, name=name, revision=revision, dtype=dtype)
    if adapter is not None:
        model.load_adapter(Path(adapter))
    return model
