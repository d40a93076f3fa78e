"""The public networks that judge drawings: PickScore, Inception's FID and LPIPS, each by name or file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bifrons.scorers.clip import ClipScorer, load_clip
from bifrons.scorers.inception import load_inception
from bifrons.scorers.lpips import load_lpips

PICK_PROCESSOR = "laion/CLIP-ViT-H-14-laion2B-s32B-b79K"  # PickScore's own repository holds weights alone


class PickScore:
    """exp(logit scale) * cosine of image and text by a CLIP that was tuned on people's choices (Kirstain et al. 2023);
    the scale is 100 in the published weights. The difference of two scores is a log-odds of choice.
    """

    def __init__(self, clip: ClipScorer) -> None:
        self.clip = clip
        self.scale = float(clip.network.logit_scale.exp())

    def scores(self, images: Sequence[Any], texts: Sequence[str]) -> list[float]:
        return [self.scale / 100 * score for score in self.clip.scores(images, texts)]


class PublicNetworks:
    """Those that are named; the members of the others are None."""

    on_scenes = False

    def __init__(self, pick_score: str = "", inception: str = "", lpips: str = "") -> None:
        self.frechet: Callable[[Sequence[Any], Sequence[Any]], float] | None = None
        self.diversity: Callable[[Sequence[Any]], float] | None = None
        self.preference: Callable[[Sequence[Any], Sequence[str]], list[float]] | None = None
        if pick_score:
            self.preference = PickScore(load_clip(pick_score, processor=pick_processor(pick_score))).scores
        if inception:
            self.frechet = load_inception(Path(inception)).distance
        if lpips:
            self.diversity = load_lpips(Path(lpips)).diversity


def pick_processor(name: str) -> str:
    """Where tokenizer and image processor come from: the weights' own folder where it holds them."""
    folder = Path(name)
    return name if folder.is_dir() and (folder / "preprocessor_config.json").is_file() else PICK_PROCESSOR
