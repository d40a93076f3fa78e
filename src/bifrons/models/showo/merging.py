"""The network with its adapter merged in, as a folder in the published layout that holds its two companions too."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from bifrons.models.merging import merged_state, write_weights
from bifrons.models.showo.drawing import DrawingSettings
from bifrons.models.showo.files import CLASS, DRAWING, TOKENIZER_CLASS
from bifrons.models.showo.layout import NUM_SPECIAL
from bifrons.models.showo.network import ShowoNetwork
from bifrons.models.showo.weights import BODY, codebook
from bifrons.records import write_json

PHI, MAGVIT = "phi", "magvitv2"  # folders inside the checkpoint's


def save_merged(
    network: ShowoNetwork, text_tokenizer: Any, drawing: DrawingSettings, folder: Path, dtype: torch.dtype
) -> float:
    """Write a full checkpoint; what rounding lost, as `merged_state` says. The image head goes back into the body's
    head, and the image tokenizer stays in fp32.
    """
    state, lost = merged_state(network, dtype)
    for part in ("weight", "bias"):
        state[f"{BODY}lm_head.{part}"][network.code_rows] = state[f"image_head.{part}"]
    folder.mkdir(parents=True, exist_ok=True)
    write_weights({key: tensor for key, tensor in state.items() if key.startswith(BODY)}, folder)
    write_companions(network, text_tokenizer, drawing, folder)
    return lost


def write_companions(network: ShowoNetwork, text_tokenizer: Any, drawing: DrawingSettings, folder: Path) -> None:
    """Everything but the body's weights."""
    layout, tokenizer = network.layout, network.tokenizer
    config = {
        "_class_name": CLASS,
        "w_clip_vit": False,
        "vocab_size": layout.vocabulary,
        "llm_vocab_size": layout.num_words,
        "llm_model_path": PHI,
        "vq_model_name": MAGVIT,
        "codebook_size": layout.num_codes,
        "num_vq_tokens": layout.num_image_tokens,
        "num_new_special_tokens": NUM_SPECIAL,
        "mask_token_id": layout.mask,
        "text_slots": layout.text_slots,
    }
    write_json(folder / "config.json", config)
    write_json(folder / DRAWING, asdict(drawing))
    body: Any = network.showo
    (folder / PHI).mkdir(exist_ok=True)
    body.config.save_pretrained(folder / PHI)
    text_tokenizer.save_pretrained(folder / PHI)
    (folder / MAGVIT).mkdir(exist_ok=True)
    write_json(folder / MAGVIT / "config.json", {"_class_name": TOKENIZER_CLASS, **asdict(tokenizer.config)})
    weights = {key: tensor.detach().cpu().float().contiguous() for key, tensor in tokenizer.state_dict().items()}
    write_weights(weights | codebook(tokenizer), folder / MAGVIT)
