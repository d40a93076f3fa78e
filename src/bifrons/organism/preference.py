"""The preference head: two pictures of one prompt with planted mistakes, and the verifier's choice between them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.functional import logsigmoid

from bifrons.organism.clip import described
from bifrons.organism.fit import Stage, fit, generator
from bifrons.records import write_json
from bifrons.scenes import Scene, render, request, verify
from bifrons.scenes.reader import Reading
from bifrons.scenes.world import BACKGROUNDS, COLOURS, MAX_OBJECTS, PLACES, SHAPES, SIZES, Object
from bifrons.scorers.clip import ClipScorer, load_clip
from bifrons.scorers.preference import PreferenceHead

EVALUATION_CLIP = "scenes-evaluation"


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferenceRecipe:
    """Defaults are what made the shipped weights."""

    seed: int = 5
    num_pairs: int = 6000
    num_held_out: int = 1000
    most_mistakes: int = 4
    noise: float = 8.0  # standard deviation of what is put on the pixels at most, in grey levels
    stage: Stage = Stage(
        name="preference", steps=600, batch=256, learning_rate=2e-3, weight_decay=0.05, average=0.99, measure_every=200
    )


@dataclass(frozen=True, slots=True)
class Judged:
    """Embeddings of prompts and of their better and worse pictures, [pairs, width]."""

    said: Tensor
    better: Tensor
    worse: Tensor


def with_mistake(scene: Scene, rng: np.random.Generator) -> Scene:
    """The scene with one thing changed: an attribute, a place, the background, an object more or less."""
    objects = list(scene.objects)
    free = [place for place in PLACES if place not in {thing.place for thing in objects}]
    index = int(rng.integers(len(objects))) if objects else 0
    kinds = ["background"] + (["colour", "shape", "size", "less"] if objects else []) + (["more"] if free else [])
    kinds += ["place"] if objects and free else []
    kind = kinds[int(rng.integers(len(kinds)))]
    if kind == "background":
        return Scene(other(list(BACKGROUNDS), scene.background, rng), scene.objects)
    if kind == "less":
        del objects[index]
    elif kind == "more" or kind == "place":
        place = free[int(rng.integers(len(free)))]
        if kind == "place":
            objects[index] = replace(objects[index], place=place)
        elif len(objects) <= MAX_OBJECTS:
            colour, shape, size = (
                list(values)[int(rng.integers(len(values)))] for values in (list(COLOURS), SHAPES, SIZES)
            )
            objects.append(Object(place, shape, colour, size))
    else:
        values = {"colour": list(COLOURS), "shape": list(SHAPES), "size": list(SIZES)}[kind]
        objects[index] = replace(objects[index], **{kind: other(values, getattr(objects[index], kind), rng)})
    return Scene(scene.background, tuple(objects))


def other(values: list[str], than: str, rng: np.random.Generator) -> str:
    rest = [value for value in values if value != than]
    return rest[int(rng.integers(len(rest)))]


def picture(scene: Scene, recipe: PreferenceRecipe, rng: np.random.Generator) -> np.ndarray:
    clean = render(scene)
    noise = rng.normal(scale=rng.uniform(0, recipe.noise), size=clean.shape)
    return (clean + noise).clip(0, 255).round().astype(np.uint8)


def judged(clip: ClipScorer, recipe: PreferenceRecipe, split: str, count: int) -> Judged:
    """`count` pairs that the verifier does not find equally good: exact first, then the share of attributes."""
    rng = generator(recipe.seed, f"preference-{split}", 0)
    prompts: list[str] = []
    sides: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    while len(prompts) < count:
        scene, prompt = described(rng, split)
        asked = request(prompt)
        drawn: list[tuple[tuple[bool, float], Scene]] = []
        for _ in range(2):
            seen = scene
            for _ in range(int(rng.integers(recipe.most_mistakes + 1))):
                seen = with_mistake(seen, rng)
            verdict = verify(asked, Reading(seen, 0.0, ()))
            drawn.append(((verdict.exact, verdict.attributes_right), seen))
        if drawn[0][0] == drawn[1][0]:
            continue
        first, second = sorted(drawn, key=lambda pair: pair[0], reverse=True)
        prompts.append(prompt)
        sides[0].append(picture(first[1], recipe, rng))
        sides[1].append(picture(second[1], recipe, rng))
    return Judged(clip.embed_texts(prompts).clone(), *(clip.embed_images(side).clone() for side in sides))


def margins(head: PreferenceHead, rows: Judged, chosen: Tensor | slice) -> Tensor:
    said = rows.said[chosen]
    return head(rows.better[chosen], said) - head(rows.worse[chosen], said)


def train_preference(
    out: Path, weights: Path, recipe: PreferenceRecipe | None = None, clip: str = EVALUATION_CLIP
) -> float:
    """Train the head on a CLIP's embeddings, resuming in `out`; write `weights/preference`. The share of held-out pairs
    that it gets right.
    """
    recipe = recipe or PreferenceRecipe()
    scorer = load_clip(clip)
    train, held_out = (
        judged(scorer, recipe, split, count)
        for split, count in (("train", recipe.num_pairs), ("validation", recipe.num_held_out))
    )
    torch.manual_seed(recipe.seed)
    head = PreferenceHead(train.said.shape[1])

    def loss_at(_step: int, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        chosen = torch.from_numpy(rng.integers(recipe.num_pairs, size=recipe.stage.batch))
        loss = -logsigmoid(margins(head, train, chosen)).mean()
        return loss, {"choice": loss.item()}

    @torch.no_grad()
    def measure() -> dict[str, float]:
        return {"held_out_accuracy": float((margins(head, held_out, slice(None)) > 0).float().mean())}

    fit(head, recipe.stage, loss_at, seed=recipe.seed, out=out, measure=measure)
    folder = weights / "preference"
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.detach().half().contiguous() for name, tensor in head.state_dict().items()}
    save_file(tensors, folder / "model.safetensors", metadata={"clip": scorer.fingerprint})
    write_json(folder / "recipe.json", asdict(recipe) | measure())
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    kept = [line for line in lines if "held_out_accuracy" in line]
    (folder / "training_log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in kept))
    return measure()["held_out_accuracy"]
