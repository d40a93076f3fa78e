"""What a recipe's run key is made from, and the settings that came after the first release."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from short_run import GENERATION, UNDERSTANDING, run

from bifrons.losses import LOSSES, USUAL_BETA
from bifrons.models.janus.model import JanusModel
from bifrons.protocol import AdapterSettings, Identity
from bifrons.records import Task, run_key
from bifrons.training import Recipe

MODEL = Identity(name="x", family="janus", fingerprint="abc", facts={"dtype": "float32"})
PAIRS: dict[Task, str] = {"understanding": "u", "generation": "g"}
FIXED = Recipe(
    strategy="fixed_weight",
    strategy_settings={"understanding": 1.5, "generation": 0.5},
    steps=40,
    seed=2,
    beta_generation=0.3,
    adapter=AdapterSettings(rank=8, alpha=16.0),
)


def key(recipe: Recipe) -> str:
    return run_key(recipe.definition(MODEL, PAIRS))


@pytest.mark.parametrize(("recipe", "frozen"), [(Recipe(), "9a8510a098bb3a73"), (FIXED, "ff9631887a1b57ad")])
def test_keys_of_the_first_release_stand(recipe: Recipe, frozen: str) -> None:
    """These were computed by release 0.1.0: no setting that is added may orphan a finished run."""
    assert key(recipe) == frozen


LATER: list[dict[str, Any]] = [
    {"loss_understanding": "simpo"},
    {"loss_generation": "ipo"},
    {"loss_understanding": "simpo", "loss_settings_understanding": {"gamma": 0.3}},
    {"paired": True},
    {"paired": True, "coupling": "product"},
    {"pairs_per_step": 4},
]


def test_a_later_setting_away_from_its_default_is_another_run() -> None:
    keys = [key(replace(Recipe(), **settings)) for settings in [{}, *LATER]]
    assert len(set(keys)) == len(keys)


def test_beta_left_out_is_the_usual_one_of_the_loss() -> None:
    """As if it had been given, in the run's key too; a beta that is given stands whatever the loss."""
    left_out = Recipe(loss_generation="simpo")
    assert (left_out.beta("understanding"), left_out.beta("generation")) == (0.1, 2.0)
    assert key(left_out) == key(replace(left_out, beta_understanding=0.1, beta_generation=2.0))
    assert replace(left_out, beta_generation=0.1).beta("generation") == 0.1
    assert USUAL_BETA.keys() == LOSSES.keys()


def test_accumulation_is_no_part_of_a_run() -> None:
    assert key(Recipe(pairs_per_step=4, accumulate=2)) == key(Recipe(pairs_per_step=4))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss": "hinge"}, "there is no loss 'hinge'; there are dpo, "),
        ({"loss": "simpo", "loss_settings": {"gama": 1.0}}, "loss simpo has no setting 'gama'; it has gamma"),
        ({"loss_settings": {"gamma": 1.0}}, "loss dpo has no setting 'gamma'; it has none but beta"),
        ({"loss": "simpo", "loss_settings": {"gamma": -1.0}}, "SimPO's gamma is -1.0"),
        ({"loss": "dpo_sft", "loss_settings": {"sft_weight": -1.0}}, "anchor's weight is -1.0"),
        ({"coupling": "both"}, "coupling is 'both'"),
        ({"coupling": "product"}, "so it needs paired=True"),
        ({"coupling": "product", "paired": True, "loss": "ipo"}, "multiplies DPO margins"),
        ({"coupling": "product", "paired": True, "strategy": "generation_only"}, "generation_only trains one"),
        ({"accumulate": 0}, "accumulate is 0"),
        ({"accumulate": 3, "pairs_per_step": 2}, "accumulate is 3, which is more than the 2 pairs a step"),
        ({"paired": True, "understanding": UNDERSTANDING[:3]}, "as many pairs of each task; there are 3 and 4"),
        ({"paired": True}, "pair 0 is 'u0-0' and 'g0-0'"),
    ],
)
def test_a_mistake_is_named(model: JanusModel, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run(model, **settings)
    assert model.adapted is None


def test_paired_tasks_visit_the_same_records(model: JanusModel) -> None:
    """Record i of both lists in the same step, in every epoch; unpaired shuffles differ."""
    named = [replace(pair, id=own.id) for pair, own in zip(GENERATION, UNDERSTANDING, strict=True)]
    done = run(model, generation=named, paired=True, steps=6, pairs_per_step=3, strategy="naive_joint")
    for step in done.steps:
        assert step.understanding is not None and step.generation is not None
        assert step.understanding.records == step.generation.records
    apart = Recipe(pairs_per_step=4)
    assert apart.indices("understanding", 0, 40) != apart.indices("generation", 0, 40)
