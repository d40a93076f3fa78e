"""A Janus model from a folder in the Hugging Face layout, or from a network that is already built."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, JanusForConditionalGeneration, JanusProcessor
from transformers.models.janus.image_processing_pil_janus import JanusImageProcessorPil

from bifrons.models.janus.model import JanusModel
from bifrons.models.quiet import no_progress_bar
from bifrons.protocol import Identity


def from_folder(folder: str, *, name: str, revision: str = "", dtype: torch.dtype | None = None) -> JanusModel:
    """Load weights (safetensors only), tokenizer, chat template and image processor from the checkpoint's own files.

    The image processor is the PIL one: it needs no torchvision. Raises ValueError for a folder without safetensors
    weights.
    """
    options: dict[str, Any] = {"revision": revision} if revision else {}
    if Path(folder).is_dir() and not list(Path(folder).glob("*.safetensors")):
        raise ValueError(f"{folder}: holds no safetensors weights; other formats are not loaded")
    with no_progress_bar():
        network = JanusForConditionalGeneration.from_pretrained(
            folder,
            dtype=dtype or "auto",
            use_safetensors=True,
            trust_remote_code=False,
            attn_implementation="sdpa",
            **options,
        )
    vision: Any = network.config.vision_config
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, **options)
    images = JanusImageProcessorPil.from_pretrained(folder, **options)
    processor = JanusProcessor(
        images,
        tokenizer,
        chat_template=tokenizer.chat_template,
        num_image_tokens=vision.num_image_tokens,
    )
    return from_network(network, processor, name=name, revision=revision)


def from_network(network: Any, processor: Any, *, name: str, revision: str = "") -> JanusModel:
    text = network.config.text_config
    facts = {
        "hidden_size": text.hidden_size,
        "layers": text.num_hidden_layers,
        "parameters": sum(p.numel() for p in network.parameters()),
        "dtype": str(network.dtype).removeprefix("torch."),
    }
    identity = Identity(name=name, family="janus", fingerprint=fingerprint(network), revision=revision, facts=facts)
    return JanusModel(network, processor, identity)


def fingerprint(network: Any) -> str:
    """A hash of every weight's name, shape, dtype and content (its bytes: sums would not tell two orders apart)."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()[:20]
