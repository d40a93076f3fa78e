"""The networks that were trained on scenes, as metrics of drawings use them: one CLIP's tower, and a head on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bifrons.scorers.clip import ClipScorer
from bifrons.scorers.frechet import frechet_distance
from bifrons.scorers.perceptual import mean_pairwise_distance
from bifrons.scorers.preference import load_preference


class SceneNetworks:
    """Fréchet distance, LPIPS diversity and preference by the embedded CLIP of evaluation."""

    on_scenes = True

    def __init__(self, clip: ClipScorer) -> None:
        self.clip = clip
        self.scorer = load_preference(clip)

    def frechet(self, images: Sequence[Any], real: Sequence[Any]) -> float:
        """Of the CLIP's unit embeddings (64 numbers): a small width keeps the bias of a small set small."""
        return frechet_distance(self.clip.embed_images(images).numpy(), self.clip.embed_images(real).numpy())

    def diversity(self, images: Sequence[Any]) -> float:
        return mean_pairwise_distance(self.clip.layers(images))

    def preference(self, images: Sequence[Any], texts: Sequence[str]) -> list[float]:
        return self.scorer.scores(images, texts)
