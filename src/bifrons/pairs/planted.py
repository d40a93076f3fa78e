"""Planted generation pairs, a positive control: chosen draws the asked scene, rejected the same scene in wrong colours.

If a trainer cannot learn these, its null results on other pairs say nothing about the data.
"""

from __future__ import annotations

import zlib
from dataclasses import replace

import numpy as np

from bifrons.pairs.built import Built
from bifrons.protocol import UnifiedModel
from bifrons.records import GenerationPair, Provenance
from bifrons.scenes import Scene, Split, captions, draw_scene, render
from bifrons.scenes.world import COLOURS


def recoloured(scene: Scene, rng: np.random.Generator) -> Scene:
    """The scene with every object in another colour than its own."""
    objects = []
    for thing in scene.objects:
        others = [colour for colour in COLOURS if colour != thing.colour]
        objects.append(replace(thing, colour=others[int(rng.integers(len(others)))]))
    return Scene(scene.background, tuple(objects))


def planted_pairs(model: UnifiedModel, count: int, *, split: Split = "pairs", seed: int = 0) -> Built[GenerationPair]:
    """`count` pairs of different scenes of a split."""
    rng = np.random.default_rng([seed, zlib.crc32(f"planted-{split}".encode())])
    scenes: dict[Scene, str] = {}
    while len(scenes) < count:
        scene = draw_scene(rng, split)
        said = captions(scene, rng)
        scenes.setdefault(scene, said[int(rng.integers(len(said)))])
    wrong = [recoloured(scene, rng) for scene in scenes]
    codes = model.encode([render(scene) for scene in [*scenes, *wrong]])
    built = Built[GenerationPair]()
    for i, (scene, prompt) in enumerate(scenes.items()):
        chosen, rejected = codes[i], codes[i + count]
        if chosen == rejected:
            built.dropped["the codes do not show the colour"] += 1
            continue
        built.pairs.append(
            GenerationPair(
                id=f"planted-{split}-{seed}-{i}",
                prompt=prompt,
                chosen_codes=chosen,
                rejected_codes=rejected,
                kind="planted",
                provenance=Provenance(builder="planted", scorer="scenes", seed=seed, details={"scene": scene.key}),
            )
        )
    return built
