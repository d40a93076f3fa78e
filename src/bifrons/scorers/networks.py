"""The networks that judge drawings beside the CLIP, by name; each is loaded once a process."""

from __future__ import annotations

from typing import Any

from bifrons.scorers.clip import ClipScorer
from bifrons.scorers.scenes import SceneNetworks

EVALUATION = "scenes-evaluation"  # the embedded CLIP whose tower the scene networks share
_loaded: dict[tuple[str, ...], Any] = {}


def picture_networks(clip: ClipScorer | None, pick_score: str = "", inception: str = "", lpips: str = "") -> list[Any]:
    """Those of scenes where the embedded CLIP of evaluation judges, and the public ones that are named."""
    found: list[Any] = []
    if clip is not None and clip.name == EVALUATION:
        key = ("scenes", clip.fingerprint)
        if key not in _loaded:
            _loaded[key] = SceneNetworks(clip)
        found.append(_loaded[key])
    if pick_score or inception or lpips:
        from bifrons.scorers.public import PublicNetworks

        key = ("public", pick_score, inception, lpips)
        if key not in _loaded:
            _loaded[key] = PublicNetworks(pick_score, inception, lpips)
        found.append(_loaded[key])
    return found
