"""An adapter to a folder that stands alone: merged into its base, or plain PEFT files; each with its card."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import torch

from bifrons.export.card import card_text
from bifrons.export.history import history_of
from bifrons.models import load
from bifrons.records import read_json, write_text

FILES = ("adapter_config.json", "adapter_model.safetensors")
CARD = "bifrons.json"
DTYPES = ("float32", "bfloat16", "float16")


class Mergeable(Protocol):
    """A model that can write itself with its adapter merged in."""

    def save_merged(self, folder: Path, dtype: Any = None) -> float: ...


@dataclass(frozen=True, slots=True)
class Exported:
    """`rounding` is what storing in the checkpoint's dtype took from the update: the norm of the rounding error over
    the norm of what training changed. None where nothing was merged.
    """

    folder: Path
    rounding: float | None


def export_adapter(
    adapter: Path,
    out: Path,
    *,
    merge: bool = True,
    base: str = "",
    dtype: Any = None,
    device: str | None = None,
) -> Exported:
    """Write `out`: the base with the adapter merged in, or with `merge=False` the adapter's plain PEFT files; and
    README.md, the model card.

    The base is the one that the adapter's own files name, at its recorded revision, unless `base` names a folder or hub
    name of the same weights. `dtype` is what is stored; None keeps what the adapter was trained in. Raises ValueError
    for a folder that holds no adapter, for an `out` that exists, for a base of other weights, and for a model family
    that cannot merge.
    """
    if out.exists():
        raise ValueError(f"{out}: exists already, and nothing is overwritten")
    for file in FILES:
        if not (adapter / file).is_file():
            raise ValueError(f"{adapter}: holds no adapter ({' and '.join(FILES)})")
    known = read_json(adapter / CARD) if (adapter / CARD).is_file() else {}
    config = read_json(adapter / FILES[0])
    name = base or known.get("base") or config.get("base_model_name_or_path") or ""
    revision = "" if base else known.get("revision") or config.get("revision") or ""
    if not name:
        raise ValueError(f"{adapter}: does not say what its base is; name it with base")
    history = history_of(adapter, str(known.get("base") or name))
    rounding: float | None = None
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        if merge:
            pinned = "" if Path(name).is_dir() else revision
            trained_in = getattr(torch, known["dtype"]) if known.get("dtype") in DTYPES else None
            model = load(name, revision=pinned, adapter=adapter, dtype=trained_in, device=device)
            if not hasattr(model, "save_merged"):
                raise ValueError(f"{name}: models of family {model.identity.family!r} cannot be merged")
            revision = model.identity.revision or revision
            rounding = cast(Mergeable, model).save_merged(part, dtype)
        else:
            part.mkdir(parents=True)
            for file in (*FILES, CARD):
                if (adapter / file).is_file():
                    shutil.copyfile(adapter / file, part / file)
        write_text(part / "README.md", card_text(name, revision, known, config, history, rounding, merged=merge))
        part.replace(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Exported(out, rounding)
