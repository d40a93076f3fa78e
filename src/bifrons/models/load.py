"""One function from a name to a model."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from bifrons.protocol import UnifiedModel
from bifrons.records import read_json

EMBEDDED = {  # shipped with the package, as folders in the layout of their families
    "organism": "organism/weights/organism",
    "organism-small": "organism/weights/organism_small",
    "showo-organism": "organism/weights/showo_organism",
}
KNOWN = {  # on the Hugging Face hub, in the layout that is loaded
    "deepseek-community/Janus-Pro-1B": "2.1 B parameters, 4 GB of weights to download",
    "deepseek-community/Janus-Pro-7B": "7.4 B parameters, 15 GB of weights to download",
}
FAMILIES = {"janus": "janus", "Showo": "showo"}  # by the model type, or the class, that config.json says
KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}  # of options
ORIGINAL = "multi_modality"  # the model type of DeepSeek's own files
CONVERT = (
    "is in DeepSeek's original layout (model type 'multi_modality', pickled weights), which is not loaded; convert it "
    "once with src/transformers/models/janus/convert_janus_weights_to_hf.py of the transformers repository: python "
    "convert_janus_weights_to_hf.py --repo_id deepseek-ai/Janus-Pro-1B --local_dir {folder} --output_dir CONVERTED "
    "--safe_serialization, and load CONVERTED; or load the converted deepseek-community/Janus-Pro-1B or -7B"
)


def load(
    name: str = "organism",
    *,
    revision: str = "",
    adapter: str | Path | None = None,
    dtype: Any = None,
    device: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> UnifiedModel:
    """A unified model: `organism` (embedded), a local folder, or the name of a checkpoint on the Hugging Face hub.

    The organism runs in fp32 on the CPU unless `dtype` and `device` say otherwise; a checkpoint in the dtype of its
    files, on the GPU where there is one. `revision` pins a branch, tag or commit of a hub name; the commit that was
    loaded is the identity's revision. `options` are settings of the family (its `OPTIONS`), by name; what is not given
    is the checkpoint's own or the family's default. Raises ValueError for a name that is neither embedded nor a folder
    nor of the hub's form, for a family that is not supported, for an option that it does not have, and for files that
    do not fit each other.
    """
    import torch

    from bifrons.checkpoints import find_checkpoint

    found = find_checkpoint(name, EMBEDDED, revision=revision)
    config = read_json(found.folder / "config.json")
    said = config.get("model_type") or config.get("_class_name", "")
    if said == ORIGINAL:
        raise ValueError(f"{name}: {CONVERT.format(folder=name)}")
    if not isinstance(said, str) or said not in FAMILIES:
        raise ValueError(f"{name}: model type {said!r} is not supported; supported are {', '.join(FAMILIES)}")
    family = import_module(f"bifrons.models.{FAMILIES[said]}")
    checked = checked_options(options or {}, family.OPTIONS, name, FAMILIES[said])
    if name in EMBEDDED:
        dtype = dtype or torch.float32
        device = device or "cpu"
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    model: UnifiedModel = family.from_folder(
        found.folder, name=name, revision=found.revision, dtype=dtype, device=device, **checked
    )
    if adapter is not None:
        model.load_adapter(Path(adapter))
    return model


def checked_options(given: Mapping[str, Any], known: Mapping[str, type], name: str, family: str) -> dict[str, Any]:
    """The options, each of its type. Raises ValueError for one that the family does not have or that is of another."""
    made: dict[str, Any] = {}
    for key, value in given.items():
        if key not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise ValueError(f"{name}: models of family {family!r} have no option {key!r}; {has}")
        wanted = known[key]
        made[key] = float(value) if wanted is float and type(value) is int else value
        if type(made[key]) is not wanted:
            raise ValueError(f"{name}: the option {key} is {value!r}, and has to be {KINDS[wanted]}")
    return made
