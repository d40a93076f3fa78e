"""A Show-o model from a folder in the published layout, or from a network that is already built."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from bifrons.models.showo.drawing import DrawingSettings
from bifrons.models.showo.estimator import MaskEstimator
from bifrons.models.showo.files import describe
from bifrons.models.showo.model import ShowoModel
from bifrons.models.showo.network import ShowoNetwork
from bifrons.models.showo.options import SAMPLING, SCORING, settings_in
from bifrons.models.showo.weights import load_network
from bifrons.models.weights import fingerprint
from bifrons.protocol import Identity


def from_folder(
    folder: Path,
    *,
    name: str,
    revision: str = "",
    dtype: torch.dtype | None = None,
    device: str | torch.device = "cpu",
    **options: Any,
) -> ShowoModel:
    """Load body, words and image tokenizer (safetensors only) from the repositories that the checkpoint's files name.

    All of them are checked against each other before any weight is read. `options` are those of OPTIONS. Raises
    ValueError with a sentence that says what is wrong.
    """
    described = describe(folder, name)
    try:
        estimator = MaskEstimator(**settings_in(options, SCORING))
        drawing = replace(described.drawing, **settings_in(options, SAMPLING))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    network = load_network(folder, described, name, dtype)
    try:
        return from_network(
            network.to(device), described.words, name=name, revision=revision, drawing=drawing, estimator=estimator
        )
    except ValueError as error:  # of the prompts
        raise ValueError(f"{name}: {error}") from None


def from_network(
    network: ShowoNetwork,
    text_tokenizer: Any,
    *,
    name: str,
    revision: str = "",
    drawing: DrawingSettings | None = None,
    estimator: MaskEstimator | None = None,
) -> ShowoModel:
    """The image head is taken from the body's head anew."""
    network.take_image_head()
    body: Any = network.showo
    parts: list[Any] = [network.showo, network.tokenizer]
    facts = {
        "hidden_size": body.config.hidden_size,
        "layers": body.config.num_hidden_layers,
        "parameters": sum(p.numel() for part in parts for p in part.parameters()),
        "dtype": str(body.model.embed_tokens.weight.dtype).removeprefix("torch."),
    }
    hashed = fingerprint({k: v for k, v in network.state_dict().items() if not k.startswith("image_head.")})
    identity = Identity(name=name, family="showo", fingerprint=hashed, revision=revision, facts=facts)
    return ShowoModel(network, text_tokenizer, identity, drawing or DrawingSettings(), estimator or MaskEstimator())
