"""From nothing to the folders in `weights/`: tokens, body, two CLIPs, then everything written as safetensors in 16
bit.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch

from bifrons.models import load
from bifrons.models.janus.load import from_network
from bifrons.models.janus.model import JanusModel
from bifrons.organism.architecture import (
    CODEBOOK_SIZE,
    build_config,
    build_model,
    build_processor,
    build_tokenizer,
    set_generation,
)
from bifrons.organism.body import train_body
from bifrons.organism.clip import build_clip, build_clip_tokenizer, build_image_processor, train_clip
from bifrons.organism.preference import EVALUATION_CLIP, train_preference
from bifrons.organism.recipe import ClipShape, OrganismRecipe
from bifrons.organism.tokens import merged_codebook, train_decoder, train_tokens
from bifrons.records import write_json

STAGES = ("body", "clip", "preference")
LAST_STAGE = "last"  # of the body, alone and from the shipped weights


def fresh(recipe: OrganismRecipe, num_codes: int = CODEBOOK_SIZE) -> JanusModel:
    """The organism before training."""
    torch.manual_seed(recipe.seed)
    tokenizer = build_tokenizer()
    config = build_config(
        tokenizer,
        hidden_size=recipe.hidden_size,
        num_layers=recipe.num_layers,
        intermediate_size=recipe.intermediate_size,
        vision_size=recipe.vision_size,
        vision_layers=recipe.vision_layers,
        vq_channels=recipe.vq_channels,
        num_codes=num_codes,
    )
    return from_network(build_model(config, tokenizer), build_processor(tokenizer), name=recipe.name)


def train(out: Path, weights: Path, recipe: OrganismRecipe | None = None, stages: tuple[str, ...] = STAGES) -> None:
    """Train what `stages` names, resuming in `out`, and write the finished folders below `weights`.

    Raises ValueError for an unknown stage.
    """
    recipe = recipe or OrganismRecipe()
    for stage in stages:
        if stage not in (*STAGES, LAST_STAGE):
            raise ValueError(f"no stage {stage!r}; there are {', '.join((*STAGES, LAST_STAGE))}")
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "recipe.json", recipe.as_dict())
    if "body" in stages:
        model = with_tokens_of(recipe) if recipe.tokens_of else with_tokens(recipe, out)
        for lessons in recipe.body:
            train_body(model, lessons, seed=recipe.seed, out=out)
        if not recipe.tokens_of:
            train_decoder(model.core.vqmodel, recipe.decoder, seed=recipe.seed, out=out)
        export_organism(model, recipe, out, weights)
    if LAST_STAGE in stages:
        model = load(recipe.name)
        assert isinstance(model, JanusModel)
        train_body(model, recipe.body[-1], seed=recipe.seed, out=out)
        export_organism(model, recipe, out, weights)
    if "clip" in stages:
        for name, shape in (("clip_curation", recipe.clip_curation), ("clip_evaluation", recipe.clip_evaluation)):
            make_clip(recipe, shape, out / name, weights / name)
    if "preference" in stages:
        own = weights / "clip_evaluation"
        train_preference(out / "preference", weights, clip=str(own) if own.is_dir() else EVALUATION_CLIP)


def with_tokens(recipe: OrganismRecipe, out: Path) -> JanusModel:
    """The organism with a trained VQ model and an untrained body, whose code embeddings start as the codebook: like
    codes, like vectors.
    """
    model = fresh(recipe)
    vq = model.core.vqmodel
    train_tokens(vq, recipe.autoencoder, recipe.consistency, recipe.tokens, seed=recipe.seed, out=out)
    codebook = merged_codebook(vq, recipe.seed)
    smaller = fresh(recipe, num_codes=len(codebook))
    smaller.core.vqmodel.load_state_dict(vq.state_dict() | {"quantize.embedding.weight": codebook})
    with torch.no_grad():
        smaller.core.generation_embeddings.weight.copy_(codebook)
    return smaller


def with_tokens_of(recipe: OrganismRecipe) -> JanusModel:
    """An untrained body beside the VQ model of an embedded organism."""
    known = load(recipe.tokens_of)
    assert isinstance(known, JanusModel)
    vq = known.core.vqmodel
    model = fresh(recipe, num_codes=vq.quantize.num_embeddings)
    model.core.vqmodel.load_state_dict(vq.state_dict())
    with torch.no_grad():
        model.core.generation_embeddings.weight.copy_(vq.quantize.embedding.weight)
    return model


def export_organism(model: JanusModel, recipe: OrganismRecipe, out: Path, weights: Path) -> None:
    folder = weights / recipe.name.replace("-", "_")
    set_generation(model.network, model.processor.tokenizer)  # transformers loses a part of it when it loads a folder
    export(model.network, model.processor, folder)
    model.network.generation_config.save_pretrained(folder)
    finish(folder, out, recipe)


def make_clip(recipe: OrganismRecipe, shape: ClipShape, out: Path, weights: Path) -> None:
    torch.manual_seed(shape.seed)
    tokenizer = build_clip_tokenizer()
    network = build_clip(
        tokenizer, width=shape.width, layers=shape.layers, patch_size=shape.patch_size, projection=shape.projection
    )
    train_clip(network, tokenizer, recipe.clip, seed=shape.seed, out=out)
    export(network, build_image_processor(), weights)
    tokenizer.save_pretrained(weights)
    finish(weights, out, recipe)


def export(network: Any, processor: Any, folder: Path) -> None:
    """Write a network in bfloat16 with its processor, in the Hugging Face layout."""
    shutil.rmtree(folder, ignore_errors=True)
    network.to(torch.bfloat16).save_pretrained(folder, safe_serialization=True)
    processor.save_pretrained(folder)


def finish(folder: Path, out: Path, recipe: OrganismRecipe) -> None:
    """Put recipe and training log beside the weights."""
    write_json(folder / "recipe.json", recipe.as_dict())
    shutil.copy(out / "log.jsonl", folder / "training_log.jsonl")
