"""What the preference head is taught: pictures with planted mistakes, and the verifier's choice between them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from bifrons.organism.fit import Stage
from bifrons.organism.preference import PreferenceRecipe, judged, train_preference, with_mistake
from bifrons.scenes import draw_scene, read, render, request, verify
from bifrons.scorers.clip import load_clip
from bifrons.scorers.preference import load_preference

STAGE = Stage(name="preference", steps=60, batch=64, learning_rate=5e-3, warmup=5, measure_every=60)


class Plain:
    """Embeds a picture as it is: what was judged can be read back."""

    def embed_images(self, images: list[np.ndarray]) -> torch.Tensor:
        return torch.from_numpy(np.stack(images))

    def embed_texts(self, texts: list[str]) -> list[str]:
        return _Texts(texts)


class _Texts(list[str]):
    def clone(self) -> _Texts:
        return self


def test_a_mistake_changes_the_scene() -> None:
    """Each is another scene that can be drawn and read back; no place is taken twice."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        scene = draw_scene(rng)
        spoilt = with_mistake(scene, rng)
        assert spoilt != scene and read(render(spoilt)).scene == spoilt
        assert len({thing.place for thing in spoilt.objects}) == len(spoilt.objects)


def test_better_is_what_the_verifier_finds_better() -> None:
    """Exact first, then the share of attributes, read from the pictures themselves; the prompts are the split's own."""
    rows = judged(Plain(), PreferenceRecipe(noise=0.0), "validation", 40)  # type: ignore[arg-type]
    for prompt, better, worse in zip(rows.said, rows.better.numpy(), rows.worse.numpy(), strict=True):
        verdicts = [verify(request(prompt), read(picture)) for picture in (better, worse)]
        values = [(verdict.exact, verdict.attributes_right) for verdict in verdicts]
        assert values[0] > values[1]


def test_a_short_training_writes_a_head_that_can_be_read(tmp_path: Path) -> None:
    """It beats chance, and the folder holds weights in 16 bit, recipe and log."""
    recipe = PreferenceRecipe(num_pairs=300, num_held_out=100, stage=STAGE)
    accuracy = train_preference(tmp_path / "out", tmp_path / "weights", recipe)
    assert accuracy > 0.6
    folder = tmp_path / "weights" / "preference"
    assert {p.name for p in folder.iterdir()} == {"model.safetensors", "recipe.json", "training_log.jsonl"}
    scores = load_preference(load_clip("scenes-evaluation"), folder).scores(
        [np.zeros((32, 32, 3), np.uint8)], ["a circle"]
    )
    assert len(scores) == 1 and np.isfinite(scores[0])
