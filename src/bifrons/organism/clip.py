"""Two small CLIPs of different shape and seed, trained on scenes: one to build data, one to evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers.processors import TemplateProcessing
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize
from transformers import CLIPConfig, CLIPModel, PreTrainedTokenizerFast
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from bifrons.organism.fit import Stage, fit, generator
from bifrons.organism.pictures import pixels
from bifrons.organism.words import SPECIAL_TOKENS, build_tokenizer
from bifrons.scenes import IMAGE_SIZE, PROMPT_KINDS, Scene, captions, draw_prompt, draw_scene

MAX_TEXT_TOKENS = 64


def build_clip_tokenizer() -> PreTrainedTokenizerFast:
    """The organism's words, with the end token after each text: CLIP pools there."""
    tokenizer = build_tokenizer()
    end = SPECIAL_TOKENS["eos"]
    backend = tokenizer.backend_tokenizer
    backend.post_processor = TemplateProcessing(single=f"$A {end}", special_tokens=[(end, tokenizer.eos_token_id)])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token=SPECIAL_TOKENS["pad"],
        eos_token=end,
        unk_token=SPECIAL_TOKENS["unk"],
        padding_side="right",
    )


def build_clip(tokenizer: Any, *, width: int, layers: int, patch_size: int, projection: int) -> CLIPModel:
    shared = {
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": width // 32,
    }
    text = shared | {
        "vocab_size": len(tokenizer),
        "max_position_embeddings": MAX_TEXT_TOKENS,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": None,
        "eos_token_id": tokenizer.eos_token_id,
        "projection_dim": projection,
    }
    vision = shared | {"image_size": IMAGE_SIZE, "patch_size": patch_size, "projection_dim": projection}
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=projection))


def build_image_processor() -> CLIPImageProcessorPil:
    size = {"height": IMAGE_SIZE, "width": IMAGE_SIZE}
    half = [0.5, 0.5, 0.5]
    return CLIPImageProcessorPil(
        size=size, crop_size=size, do_center_crop=False, do_resize=True, image_mean=half, image_std=half
    )


def described(rng: np.random.Generator, split: str) -> tuple[Scene, str]:
    """A scene and a text that describes it: mostly a caption, at times one of GenEval's six kinds."""
    if rng.random() < 0.8:
        scene = draw_scene(rng, split)  # type: ignore[arg-type]
        return scene, captions(scene, rng)[int(rng.integers(5))]
    prompt, scene = draw_prompt(PROMPT_KINDS[int(rng.integers(len(PROMPT_KINDS)))], rng, split)  # type: ignore[arg-type]
    return scene, prompt


def embed(model: CLIPModel, tokenizer: Any, scenes: list[Scene], texts: list[str]) -> tuple[Tensor, Tensor]:
    batch = tokenizer(texts, padding=True, truncation=True, max_length=MAX_TEXT_TOKENS, return_tensors="pt")
    seen = model.visual_projection(model.vision_model(pixel_values=pixels(scenes)).pooler_output)
    hidden = model.text_model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
    said = model.text_projection(hidden.pooler_output)
    return normalize(seen, dim=-1), normalize(said, dim=-1)


def train_clip(model: CLIPModel, tokenizer: Any, stage: Stage, *, seed: int, out: Path) -> None:
    """Train with the symmetric contrastive loss, in place."""

    def loss_at(_step: int, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        scenes, texts = zip(*(described(rng, "train") for _ in range(stage.batch)), strict=True)
        seen, said = embed(model, tokenizer, list(scenes), list(texts))
        logits = model.logit_scale.exp().clamp_max(100) * seen @ said.T
        target = torch.arange(stage.batch)
        loss = (cross_entropy(logits, target) + cross_entropy(logits.T, target)) / 2
        return loss, {"contrastive": loss.item()}

    def measure() -> dict[str, float]:
        return {"retrieval_1_of_64": retrieval(model, tokenizer, seed)}

    fit(model, stage, loss_at, seed=seed, out=out, measure=measure)
    model.eval()


@torch.no_grad()
def retrieval(model: CLIPModel, tokenizer: Any, seed: int, split: str = "validation", rounds: int = 8) -> float:
    """How often the right caption of 64 is nearest to a picture, over rounds of 64 different held-out scenes."""
    right = 0
    for round_number in range(rounds):
        rng = generator(seed, f"retrieval-{split}", round_number)
        scenes: list[Scene] = []
        while len(scenes) < 64:  # different ones: a split has few scenes of one object
            scene = draw_scene(rng, split)  # type: ignore[arg-type]
            scenes += [scene] if scene not in scenes else []
        texts = [captions(scene, rng)[int(rng.integers(5))] for scene in scenes]
        seen, said = embed(model, tokenizer, scenes, texts)
        right += int(((seen @ said.T).argmax(dim=1) == torch.arange(64)).sum())
    return right / (64 * rounds)
