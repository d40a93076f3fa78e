"""The organisms' recipes: shapes, seeds and stages of everything that ships in `weights/`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from bifrons.organism.fit import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipShape:
    """A CLIP's shape and seed; the two of the organism differ in both."""

    seed: int
    width: int
    layers: int
    patch_size: int
    projection: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyStage:
    """One stage of the body: `reading_share` answers are learned for each drawing, `presence_share` of them to
    questions of presence; `questions_each` are asked about one picture.
    """

    stage: Stage
    reading_share: float
    presence_share: float = 0.1
    questions_each: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganismRecipe:
    """What every family's organism has: a body, and an image tokenizer that is trained in four stages before it."""

    name: str
    family: str
    seed: int
    hidden_size: int
    num_layers: int
    intermediate_size: int
    autoencoder: Stage
    consistency: Stage
    tokens: Stage
    decoder: Stage
    body: tuple[BodyStage, ...]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class JanusRecipe(OrganismRecipe):
    """Defaults are what made the organism, and the CLIPs beside it. `tokens_of` names the embedded model whose VQ model
    is taken over.
    """

    name: str = "organism"
    family: str = "janus"
    tokens_of: str = ""
    seed: int = 0
    hidden_size: int = 192
    num_layers: int = 5
    intermediate_size: int = 512
    vision_size: int = 128
    vision_layers: int = 2
    vq_channels: int = 32
    autoencoder: Stage = Stage(name="autoencoder", steps=700, batch=32, learning_rate=2e-3, weight_decay=0.0)
    consistency: Stage = Stage(name="consistency", steps=300, batch=32, learning_rate=1e-3, weight_decay=0.0)
    tokens: Stage = Stage(
        name="tokens", steps=800, batch=32, learning_rate=1e-3, weight_decay=0.0, average=0.995, measure_every=200
    )
    decoder: Stage = Stage(
        name="decoder", steps=1000, batch=32, learning_rate=1e-3, weight_decay=0.0, measure_every=250
    )
    body: tuple[BodyStage, ...] = (
        BodyStage(
            stage=Stage(
                name="body",
                steps=3000,
                stop=1250,
                batch=48,
                learning_rate=1.5e-3,
                warmup=200,
                average=0.998,
                measure_every=300,
            ),
            reading_share=1 / 3,
        ),
        BodyStage(
            stage=Stage(
                name="more_reading",
                steps=1300,
                batch=48,
                learning_rate=1.1e-3,
                warmup=30,
                average=0.995,
                measure_every=325,
            ),
            reading_share=0.6,
        ),
        BodyStage(
            stage=Stage(
                name="presence", steps=900, batch=48, learning_rate=7e-4, warmup=30, average=0.995, measure_every=300
            ),
            reading_share=0.8,
            presence_share=0.5,
        ),
    )
    clip: Stage = Stage(
        name="clip", steps=2600, batch=64, learning_rate=1.5e-3, weight_decay=0.05, average=0.99, measure_every=650
    )
    clip_curation: ClipShape = ClipShape(seed=11, width=96, layers=2, patch_size=8, projection=48)
    clip_evaluation: ClipShape = ClipShape(seed=23, width=128, layers=2, patch_size=8, projection=64)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowoRecipe(OrganismRecipe):
    """Defaults are what made the Show-o organism."""

    name: str = "showo-organism"
    family: str = "showo"
    seed: int = 0
    hidden_size: int = 192
    num_layers: int = 5
    intermediate_size: int = 512
    bits: int = 10
    channels: int = 32
    text_slots: int = 64
    autoencoder: Stage = Stage(name="autoencoder", steps=450, batch=32, learning_rate=2e-3, weight_decay=0.0)
    consistency: Stage = Stage(name="consistency", steps=200, batch=32, learning_rate=1e-3, weight_decay=0.0)
    tokens: Stage = Stage(
        name="tokens", steps=600, batch=32, learning_rate=1e-3, weight_decay=0.0, average=0.99, measure_every=200
    )
    decoder: Stage = Stage(
        name="decoder", steps=1800, batch=32, learning_rate=1.5e-3, weight_decay=0.0, measure_every=300
    )
    body: tuple[BodyStage, ...] = (
        BodyStage(
            stage=Stage(
                name="body",
                steps=3000,
                stop=1000,
                batch=48,
                learning_rate=2e-3,
                warmup=150,
                average=0.998,
                measure_every=400,
                checkpoint_every=200,
            ),
            reading_share=1.0,
            presence_share=0.2,
            questions_each=3,
        ),
    )
    steps: int = 8  # of drawing; with this guidance the best of 4 to 20, and of 1 to 2.5, on validation scenes
    guidance: float = 1.5


RECIPES: dict[str, OrganismRecipe] = {
    recipe.name: recipe
    for recipe in (
        JanusRecipe(),
        JanusRecipe(
            name="organism-small",
            tokens_of="organism",
            seed=1,
            hidden_size=128,
            num_layers=3,
            intermediate_size=320,
            vision_size=96,
        ),
        ShowoRecipe(),
    )
}
