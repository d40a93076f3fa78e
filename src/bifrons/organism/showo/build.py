"""A Show-o organism before its lessons, and its files after them."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import torch
from torch import nn

from bifrons.models.showo.merging import save_merged
from bifrons.models.showo.model import ShowoModel
from bifrons.organism.body import Losses
from bifrons.organism.recipe import OrganismRecipe, ShowoRecipe
from bifrons.organism.showo.architecture import fresh, start_codes
from bifrons.organism.showo.losses import generation_loss, understanding_loss
from bifrons.organism.showo.tokens import train_tokens


def with_tokens(recipe: OrganismRecipe, out: Path) -> ShowoModel:
    assert isinstance(recipe, ShowoRecipe)
    model = fresh(recipe)
    train_tokens(model.network.tokenizer, recipe, out)
    start_codes(model.network)
    return model


def image_tokenizer(model: ShowoModel) -> nn.Module:
    return model.network.tokenizer


def losses(model: ShowoModel) -> Losses:
    return Losses(partial(understanding_loss, model), partial(generation_loss, model))


def write(model: ShowoModel, folder: Path) -> None:
    """The body in bfloat16; the image tokenizer in fp32: rounding it would change the codes that the body knows."""
    shutil.rmtree(folder, ignore_errors=True)
    save_merged(model.network, model.prompts.tokenizer, model.drawing, folder, torch.bfloat16)
