"""One function from a name to a model."""

from __future__ import annotations

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
) -> UnifiedModel:
    """A unified model: `organism` (embedded), a local folder, or the name of a checkpoint on the Hugging Face hub.

    The organism runs in fp32 on the CPU unless `dtype` and `device` say otherwise; a checkpoint in the dtype of its
    files, on the GPU where there is one. `revision` pins a branch, tag or commit of a hub name; the commit that was
    loaded is the identity's revision. Raises ValueError for a name that is neither embedded nor a folder nor of the
    hub's form, for a family that is not supported, and for files that do not fit each other.
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
    if name in EMBEDDED:
        dtype = dtype or torch.float32
        device = device or "cpu"
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    model: UnifiedModel = family.from_folder(
        found.folder, name=name, revision=found.revision, dtype=dtype, device=device
    )
    if adapter is not None:
        model.load_adapter(Path(adapter))
    return model
