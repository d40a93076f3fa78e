"""From nothing to the folders in `weights/`: tokens, body, two CLIPs, then everything written as safetensors in 16
bit.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from bifrons.models import load
from bifrons.organism.body import Losses, train_body
from bifrons.organism.clip import build_clip, build_clip_tokenizer, build_image_processor, train_clip
from bifrons.organism.files import export
from bifrons.organism.janus import build as janus
from bifrons.organism.preference import EVALUATION_CLIP, train_preference
from bifrons.organism.recipe import BodyStage, ClipShape, JanusRecipe, OrganismRecipe
from bifrons.organism.showo import build as showo
from bifrons.records import write_json

BODY, CLIP, PREFERENCE = "body", "clip", "preference"
STAGES = (BODY, CLIP, PREFERENCE)
LAST_STAGE = "last"  # of the body, alone and from the shipped weights


class Family(Protocol):
    """What a family brings, as the functions of its `build.py`. A model here has its `network`."""

    def with_tokens(self, recipe: OrganismRecipe, out: Path) -> Any:
        """A trained image tokenizer and an untrained body, resuming in `out`."""
        ...

    def image_tokenizer(self, model: Any) -> nn.Module: ...

    def losses(self, model: Any) -> Losses: ...

    def write(self, model: Any, folder: Path) -> None: ...


FAMILIES: dict[str, Family] = {"janus": janus, "showo": showo}


def stages_of(recipe: OrganismRecipe) -> tuple[str, ...]:
    """The CLIPs and the preference head belong to the organism alone: every other model is measured by them."""
    return STAGES if recipe.name == "organism" else (BODY,)


def train(
    out: Path, weights: Path, recipe: OrganismRecipe | None = None, stages: tuple[str, ...] | None = None
) -> None:
    """Train what `stages` names (all that the recipe has by default), resuming in `out`, and write the finished folders
    below `weights`.

    Raises ValueError for a stage that the recipe does not have.
    """
    recipe = recipe or JanusRecipe()
    known = stages_of(recipe)
    stages = known if stages is None else stages
    for stage in stages:
        if stage not in (*known, LAST_STAGE):
            raise ValueError(f"{recipe.name} has no stage {stage!r}; it has {', '.join((*known, LAST_STAGE))}")
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "recipe.json", recipe.as_dict())
    family = FAMILIES[recipe.family]
    if BODY in stages:
        teach(family.with_tokens(recipe, out), recipe, recipe.body, out, weights)
    if LAST_STAGE in stages:
        teach(load(recipe.name), recipe, recipe.body[-1:], out, weights)
    if isinstance(recipe, JanusRecipe) and CLIP in stages:
        for name, shape in (("clip_curation", recipe.clip_curation), ("clip_evaluation", recipe.clip_evaluation)):
            make_clip(recipe, shape, out / name, weights / name)
    if PREFERENCE in stages:
        own = weights / "clip_evaluation"
        train_preference(out / "preference", weights, clip=str(own) if own.is_dir() else EVALUATION_CLIP)


def teach(model: Any, recipe: OrganismRecipe, lessons: tuple[BodyStage, ...], out: Path, weights: Path) -> None:
    """Train the body in these stages and write the model."""
    family = FAMILIES[recipe.family]
    for stage in lessons:
        train_body(
            model,
            model.network,
            family.image_tokenizer(model),
            family.losses(model),
            stage,
            seed=recipe.seed,
            out=out,
        )
    folder = weights / recipe.name.replace("-", "_")
    family.write(model, folder)
    finish(folder, out, recipe)


def make_clip(recipe: JanusRecipe, shape: ClipShape, out: Path, weights: Path) -> None:
    torch.manual_seed(shape.seed)
    tokenizer = build_clip_tokenizer()
    network = build_clip(
        tokenizer, width=shape.width, layers=shape.layers, patch_size=shape.patch_size, projection=shape.projection
    )
    train_clip(network, tokenizer, recipe.clip, seed=shape.seed, out=out)
    export(network, build_image_processor(), weights)
    tokenizer.save_pretrained(weights)
    finish(weights, out, recipe)


def finish(folder: Path, out: Path, recipe: OrganismRecipe) -> None:
    """Put recipe and training log beside the weights."""
    write_json(folder / "recipe.json", recipe.as_dict())
    shutil.copy(out / "log.jsonl", folder / "training_log.jsonl")
