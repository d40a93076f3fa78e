"""A Janus organism before its lessons, and its files after them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch
from torch import nn

from bifrons.models import load
from bifrons.models.janus.load import from_network
from bifrons.models.janus.model import JanusModel
from bifrons.organism.body import Losses
from bifrons.organism.files import export
from bifrons.organism.janus.architecture import (
    CODEBOOK_SIZE,
    build_config,
    build_model,
    build_processor,
    set_generation,
)
from bifrons.organism.janus.losses import generation_loss, understanding_loss
from bifrons.organism.janus.tokens import merged_codebook, train_decoder, train_tokens
from bifrons.organism.recipe import JanusRecipe, OrganismRecipe
from bifrons.organism.words import build_tokenizer


def fresh(recipe: JanusRecipe, num_codes: int = CODEBOOK_SIZE) -> JanusModel:
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


def with_tokens(recipe: OrganismRecipe, out: Path) -> JanusModel:
    """The organism with a trained VQ model and an untrained body, whose code embeddings start as the codebook: like
    codes, like vectors.
    """
    assert isinstance(recipe, JanusRecipe)
    if recipe.tokens_of:
        known = load(recipe.tokens_of)
        assert isinstance(known, JanusModel)
        state = known.core.vqmodel.state_dict()
    else:
        vq = fresh(recipe).core.vqmodel
        train_tokens(vq, recipe.autoencoder, recipe.consistency, recipe.tokens, seed=recipe.seed, out=out)
        state = vq.state_dict() | {"quantize.embedding.weight": merged_codebook(vq, recipe.seed)}
    codebook = state["quantize.embedding.weight"]
    model = fresh(recipe, num_codes=len(codebook))
    model.core.vqmodel.load_state_dict(state)
    if not recipe.tokens_of:
        train_decoder(model.core.vqmodel, recipe.decoder, seed=recipe.seed, out=out)
    with torch.no_grad():
        model.core.generation_embeddings.weight.copy_(codebook)
    return model


def image_tokenizer(model: JanusModel) -> nn.Module:
    return model.core.vqmodel


def losses(model: JanusModel) -> Losses:
    return Losses(partial(understanding_loss, model), partial(generation_loss, model))


def write(model: JanusModel, folder: Path) -> None:
    set_generation(model.network, model.processor.tokenizer)  # transformers loses a part of it when it loads a folder
    export(model.network, model.processor, folder)
    model.network.generation_config.save_pretrained(folder)
