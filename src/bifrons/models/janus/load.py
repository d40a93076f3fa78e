"""A Janus model from a folder in the Hugging Face layout, or from a network that is already built."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import JanusForConditionalGeneration

from bifrons.checkpoints import no_progress_bar
from bifrons.models.janus.files import read_config, read_processor
from bifrons.models.janus.model import JanusModel
from bifrons.models.janus.weights import check_weights
from bifrons.models.weights import fingerprint, stored_shapes
from bifrons.protocol import Identity


def from_folder(
    folder: Path,
    *,
    name: str,
    revision: str = "",
    dtype: torch.dtype | None = None,
    device: str | torch.device = "cpu",
) -> JanusModel:
    """Load weights (safetensors only), tokenizer, chat template and image processor from the checkpoint's own files.

    All of them are checked against each other before any weight is read. Raises ValueError with a sentence that says
    what is wrong.
    """
    stored = stored_shapes(folder, name)
    config = read_config(folder, name)
    processor = read_processor(folder, name, config)
    check_weights(stored, name, config)
    with no_progress_bar():
        network: Any = JanusForConditionalGeneration.from_pretrained(
            folder,
            config=config,
            dtype=dtype or "auto",
            use_safetensors=True,
            trust_remote_code=False,
            attn_implementation="sdpa",
        )
    try:
        return from_network(network.to(device), processor, name=name, revision=revision)
    except ValueError as error:  # of the prompts
        raise ValueError(f"{name}: {error}") from None


def from_network(
    network: Any, processor: Any, *, name: str, revision: str = "", known_as: str | None = None
) -> JanusModel:
    """`known_as` is a fingerprint for weights that are not to be read for one."""
    text = network.config.text_config
    facts = {
        "hidden_size": text.hidden_size,
        "layers": text.num_hidden_layers,
        "parameters": sum(p.numel() for p in network.parameters()),
        "dtype": str(network.dtype).removeprefix("torch."),
    }
    identity = Identity(
        name=name,
        family="janus",
        fingerprint=fingerprint(network.state_dict()) if known_as is None else known_as,
        revision=revision,
        facts=facts,
    )
    return JanusModel(network, processor, identity)
