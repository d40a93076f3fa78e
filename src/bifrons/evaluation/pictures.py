"""Metrics of drawings by networks that look at pictures: distance from real ones, diversity, preference.

With networks that were trained on scenes each carries `_scenes` in its name: published figures are of other networks,
and stand beside these only as differences.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bifrons.evaluation.metric import Metric, Scores
from bifrons.evaluation.responses import Drawn, Responses

NUM_DIVERSITY = 50  # drawings that diversity is taken over: the first of the set

FID_SCENES = Metric(
    name="fid_scenes",
    label="FID (scenes)",
    task="generation",
    direction="lower",
    description="Fréchet distance of drawings from the examples' own pictures by a CLIP trained on scenes. Biased "
    "upwards, the more the fewer the drawings, so it compares only between sets of one size.",
)
DIVERSITY_SCENES = Metric(
    name="lpips_diversity_scenes",
    label="LPIPS diversity (scenes)",
    task="generation",
    direction="higher",
    description=f"Mean LPIPS distance between the first {NUM_DIVERSITY} drawings, by the layers of a CLIP trained on "
    "scenes with all channels weighing alike. Noise is diverse too: read it beside exact scenes.",
)
PREFERENCE_SCENES = Metric(
    name="preference_score_scenes",
    label="Preference score (scenes)",
    task="generation",
    direction="higher",
    unit="logits",
    description="A small network trained on scenes to prefer, of two drawings of a prompt, the one that the verifier "
    "finds better; the difference of two scores is the log-odds of that.",
)
FID = Metric(
    name="fid",
    label="FID",
    task="generation",
    direction="lower",
    optional=True,
    description="Fréchet distance of drawings from real pictures by Inception v3 features, 2048 numbers. Biased "
    "upwards, the more the fewer the drawings, so it compares only between sets of one size.",
)
DIVERSITY = Metric(
    name="lpips_diversity",
    label="LPIPS diversity",
    task="generation",
    direction="higher",
    optional=True,
    description=f"Mean LPIPS distance between the first {NUM_DIVERSITY} drawings, with the published weights.",
)
PICK_SCORE = Metric(
    name="pick_score",
    label="PickScore",
    task="generation",
    direction="higher",
    optional=True,
    description="100 x cosine of drawing and prompt by PickScore's CLIP-H, which was trained on people's choices.",
)
METRICS = (FID_SCENES, DIVERSITY_SCENES, PREFERENCE_SCENES, FID, DIVERSITY, PICK_SCORE)

Pixels = NDArray[np.uint8]


class PictureNetworks(Protocol):
    """Networks that look at pictures. A member is None where there is no such network.

    `frechet` compares two sets, `diversity` looks at one, `preference` scores each drawing of its prompt. `on_scenes`
    says that they were trained on scenes.
    """

    on_scenes: bool
    frechet: Callable[[Sequence[Any], Sequence[Any]], float] | None
    diversity: Callable[[Sequence[Any]], float] | None
    preference: Callable[[Sequence[Any], Sequence[str]], list[float]] | None


def picture_scores(responses: Responses, networks: Sequence[PictureNetworks]) -> list[Scores]:
    """Every metric of this file; one without its network, or without drawings, says so."""
    given = {kind.on_scenes: kind for kind in networks}
    found: list[Scores] = []
    for on_scenes, metrics in ((True, METRICS[:3]), (False, METRICS[3:])):
        network = given.get(on_scenes)
        if not responses.drawings or network is None:
            why = "nothing was drawn" if not responses.drawings else "no such network was given"
            found += [Scores(metric=metric.name, reason=why) for metric in metrics]
            continue
        distance, diversity, preference = metrics
        found += [
            frechet_score(distance, responses.drawings, network),
            diversity_score(diversity, responses.drawings, network),
            preference_scores(preference, responses.drawings, network),
        ]
    by_name = {scores.metric: scores for scores in found}
    return [by_name[metric.name] for metric in METRICS]


def frechet_score(metric: Metric, drawings: Sequence[Drawn], network: PictureNetworks) -> Scores:
    if network.frechet is None:
        return Scores(metric=metric.name, reason="no such network was given")
    rows = [row for row in drawings if row.example.image]
    if len(rows) < 2:
        return Scores(metric=metric.name, reason="fewer than two drawings have a real picture beside them")
    value = network.frechet([row.drawing.pixels for row in rows], [row.example.image for row in rows])
    return Scores(metric=metric.name, value=value)


def diversity_score(metric: Metric, drawings: Sequence[Drawn], network: PictureNetworks) -> Scores:
    if network.diversity is None:
        return Scores(metric=metric.name, reason="no such network was given")
    if len(drawings) < 2:
        return Scores(metric=metric.name, reason="fewer than two drawings")
    return Scores(metric=metric.name, value=network.diversity([row.drawing.pixels for row in drawings[:NUM_DIVERSITY]]))


def preference_scores(metric: Metric, drawings: Sequence[Drawn], network: PictureNetworks) -> Scores:
    if network.preference is None:
        return Scores(metric=metric.name, reason="no such network was given")
    values = network.preference([row.drawing.pixels for row in drawings], [row.example.prompt for row in drawings])
    return Scores(metric=metric.name, items={row.id: value for row, value in zip(drawings, values, strict=True)})
