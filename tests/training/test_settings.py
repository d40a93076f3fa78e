"""What a recipe decides, and the mistakes that it names before anything is touched."""

from __future__ import annotations

from itertools import pairwise, product
from pathlib import Path
from typing import Any

import pytest
from short_run import GENERATION, UNDERSTANDING, Alternating, run

from bifrons.models.janus.model import JanusModel
from bifrons.protocol import AdapterSettings
from bifrons.training import Recipe


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rat": 1e-3}, "align has no setting 'learning_rat'; it has beta, loss, loss_settings, accumulate"),
        ({"strategy": "unknown"}, "there is no strategy 'unknown'; there are understanding_only"),
        ({"strategy": "no_module:thing"}, "'no_module:thing' cannot be imported"),
        ({"strategy_settings": {"intervall": 3}}, "strategy gradient_weighted: .*intervall"),
        ({"steps": 0}, "steps is 0"),
        ({"pairs_per_step": 0}, "pairs_per_step is 0"),
        ({"beta": 0}, "beta_understanding is 0"),
        ({"beta": 0.1, "beta_generation": -1.0}, "beta_generation is -1.0"),
        ({"learning_rate": 0}, "learning_rate is 0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"clip": 0}, "clip is 0"),
        ({"clip_mode": "none"}, "clip_mode is 'none'"),
        (
            {"understanding": None},
            "strategy gradient_weighted trains understanding, but there are no understanding pairs",
        ),
        ({"generation": []}, "strategy gradient_weighted trains generation, but there are no generation pairs"),
        ({"understanding": GENERATION}, "'g0-0' was given for understanding, but it is a GenerationPair"),
        ({"generation": [GENERATION[0], UNDERSTANDING[0]]}, "'u0-0' was given for generation"),
    ],
)
def test_a_mistake_is_named(model: JanusModel, tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    """As a ValueError, before the model gets an adapter and before the folder is made."""
    with pytest.raises(ValueError, match=message):
        run(model, out=tmp_path / "run", **settings)
    assert model.adapted is None
    assert not (tmp_path / "run").exists()


def test_a_model_with_an_adapter_is_refused(model: JanusModel) -> None:
    model.add_adapter(AdapterSettings(rank=2))
    with pytest.raises(ValueError, match="already has an adapter"):
        run(model)


def test_beta_stands_for_both_and_one_of_them_can_differ(model: JanusModel) -> None:
    """`beta` sets both tasks; a task's own beta wins."""
    done = run(model, steps=1, beta=0.5, beta_generation=0.3, strategy="naive_joint")
    by_hand = Recipe(beta_understanding=0.5, beta_generation=0.3)
    assert (by_hand.beta("understanding"), by_hand.beta("generation")) == (0.5, 0.3)
    model.remove_adapter()
    again = run(model, steps=1, recipe=by_hand, strategy="naive_joint")
    assert again.record.key == done.record.key


def test_each_task_cycles_its_own_shuffle() -> None:
    """Every pair once an epoch, in a new order each epoch, across step borders; task and seed have their own orders."""
    recipe = Recipe(pairs_per_step=3)
    order = [i for step in range(14) for i in recipe.indices("understanding", step, 7)]
    epochs = [order[start : start + 7] for start in range(0, 42, 7)]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1
    assert [i for step in range(14) for i in recipe.indices("generation", step, 7)] != order
    other = Recipe(pairs_per_step=3, seed=1)
    assert [i for step in range(14) for i in other.indices("understanding", step, 7)] != order


def test_the_learning_rate_falls_along_a_cosine() -> None:
    recipe = Recipe(learning_rate=2.0, steps=10)
    rates = [recipe.learning_rate_at(step) for step in range(11)]
    assert rates[0] == 2.0 and rates[5] == pytest.approx(1.0) and rates[10] == pytest.approx(0.0)
    assert all(late < early for early, late in pairwise(rates))


def test_noise_differs_by_seed_task_step_and_pair() -> None:
    places = product((0, 1), ("understanding", "generation"), range(5), range(3))
    assert len({Recipe(seed=s).noise_seed(t, n, i) for s, t, n, i in places}) == 60
    assert Recipe(seed=1).noise_seed("generation", 3) == Recipe(seed=1, steps=7).noise_seed("generation", 3)


def test_the_interval_follows_the_length_of_the_run() -> None:
    """50 in the study's 1,000 steps, less in shorter runs, and as asked for where it is asked for."""
    for steps, interval in ((1000, 50), (200, 10), (10, 1), (10_000, 50)):
        assert getattr(Recipe(steps=steps).make(), "interval") == interval  # noqa: B009
    asked = Recipe(steps=200, strategy_settings={"interval": 7}).make()
    assert getattr(asked, "interval") == 7  # noqa: B009


def test_an_own_strategy_is_described_without_its_address() -> None:
    from bifrons.training.recipe import described

    assert described(Alternating(1.25)) == described(Alternating(1.25)) == "short_run.Alternating({'heavy': 1.25})"
    assert described(Alternating(1.25)) != described(Alternating(1.5))
    assert described(Recipe().make()) == repr(Recipe().make())
