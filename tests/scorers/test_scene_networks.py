"""The networks that were trained on scenes tell what they are asked to tell, and belong to one CLIP."""

from __future__ import annotations

import numpy as np
import pytest

from bifrons.organism.preference import with_mistake
from bifrons.scenes import captions, draw_scene, render
from bifrons.scorers.clip import load_clip
from bifrons.scorers.networks import picture_networks
from bifrons.scorers.preference import load_preference

RNG = np.random.default_rng(0)
SCENES = [draw_scene(RNG, "evaluation") for _ in range(60)]
PICTURES = [render(scene) for scene in SCENES]
NETWORKS = picture_networks(load_clip("scenes-evaluation"))[0]


def test_distance_grows_with_what_is_wrong() -> None:
    """Other scenes of the same world are nearer than noisy ones, and those nearer than grey squares."""
    others = [render(draw_scene(RNG, "evaluation")) for _ in SCENES]
    noisy = [(p + RNG.normal(scale=60, size=p.shape)).clip(0, 255).astype(np.uint8) for p in others]
    plain = [np.full_like(p, 100) for p in PICTURES]
    same, moved, far = (NETWORKS.frechet(PICTURES, images) for images in (others, noisy, plain))
    assert 0 < same < moved < far
    assert NETWORKS.frechet(PICTURES, PICTURES) == pytest.approx(0, abs=1e-6)


def test_diversity_falls_with_repetition() -> None:
    """Sixty scenes, ten scenes six times each, one scene sixty times."""
    sixty, ten, one = (NETWORKS.diversity(images) for images in (PICTURES, PICTURES[:10] * 6, PICTURES[:1] * 60))
    assert sixty > 0.8 * ten > 0 and ten < sixty * 1.2
    assert one == pytest.approx(0, abs=1e-6)


def test_the_right_picture_is_preferred() -> None:
    """A scene above itself with three mistakes, for at least nine of ten held-out prompts."""
    prompts = [captions(scene, RNG)[0] for scene in SCENES]
    wrong = []
    for scene in SCENES:
        for _ in range(3):
            scene = with_mistake(scene, RNG)
        wrong.append(render(scene))
    right = np.array(NETWORKS.preference(PICTURES, prompts)) > np.array(NETWORKS.preference(wrong, prompts))
    assert right.mean() >= 0.9


def test_a_head_belongs_to_its_clip() -> None:
    with pytest.raises(ValueError, match="another CLIP"):
        load_preference(load_clip("scenes-curation"))
    assert picture_networks(load_clip("scenes-curation")) == []
