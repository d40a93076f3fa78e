"""Every method on one small Gramian, and how a method is found by its name."""

from __future__ import annotations

import pytest

from bifrons.records import Gramian, Observation, State, Weights
from bifrons.strategies import STRATEGIES, Fixed, default_interval, make_strategy

SMALL = Gramian(uu=4.0, ug=-6.0, gg=36.0)  # |g_U| = 2, |g_G| = 6, cosine -1/2
TOKENS = (10.0, 30.0)
BOTH = ("understanding", "generation")

# name, settings: weights at step 1, whether the head is weighted too, tasks that are run
TABLE: dict[str, tuple[dict[str, float], tuple[float, float], bool, tuple[str, ...]]] = {
    "understanding_only": ({}, (1.0, 0.0), True, ("understanding",)),
    "generation_only": ({}, (0.0, 1.0), True, ("generation",)),
    "naive_joint": ({}, (1.0, 1.0), True, BOTH),
    "pcgrad": ({}, (1 + 6 / 4, 1 + 6 / 36), False, BOTH),
    "gradient_weighted": ({"interval": 1}, (2 * 6 / 8, 2 * 2 / 8), True, BOTH),
    "gradient_weighted_smoothed": ({"interval": 1}, (1.5, 0.5), True, BOTH),
    "length_normalized": ({}, (2 * 30 / 40, 2 * 10 / 40), True, BOTH),
    "fixed_weight": ({"understanding": 1.8, "generation": 0.2}, (1.8, 0.2), True, BOTH),
    "upgrad": ({}, (1.25, 1 / 2 + 1 / 12), False, BOTH),
    "gradvac": ({}, (1 + 6 / 4, 1 + 6 / 36), False, BOTH),  # the target starts at 0, where it is PCGrad
    "mgda": ({}, (42 / 52, 10 / 52), False, BOTH),
    "imtl_g": ({}, (6 / 8, 2 / 8), False, BOTH),
    "fairgrad": ({"alpha": 1.0}, (40**0.5 / 2 / 0.5**0.5, 40**0.5 / 6 / 0.5**0.5), False, BOTH),
    "cagrad": ({"c": 0.0}, (0.5, 0.5), False, BOTH),
    "aligned_mtl": ({}, (0.5517266238, 0.2147448473), False, BOTH),
}


def test_the_table_below_is_complete() -> None:
    assert TABLE.keys() == STRATEGIES.keys()


@pytest.mark.parametrize("name", TABLE)
def test_every_method_on_one_gramian(name: str) -> None:
    settings, expected, weighs_head, tasks = TABLE[name]
    strategy = make_strategy(name, **settings)
    _, weights = strategy.weigh(strategy.start(), Observation(step=1, gramian=SMALL, num_tokens=TOKENS))
    assert (weights.understanding, weights.generation) == pytest.approx(expected, rel=1e-9)
    assert weights.flag == ""
    assert strategy.weighs_head == weighs_head
    assert strategy.tasks == tasks


@pytest.mark.parametrize("name", ["nothing", "PCGRAD", "", "pcgrad "])
def test_an_unknown_name_lists_the_known_ones(name: str) -> None:
    with pytest.raises(ValueError, match="there is no strategy") as caught:
        make_strategy(name)
    assert repr(name) in str(caught.value)
    assert all(known in str(caught.value) for known in STRATEGIES)
    assert "module:function" in str(caught.value)


def test_settings_that_a_strategy_does_not_take_are_refused() -> None:
    with pytest.raises(ValueError, match="strategy pcgrad: .*'interval'"):
        make_strategy("pcgrad", interval=3)


@pytest.mark.parametrize("name", ["gradient_weighted", "gradient_weighted_smoothed"])
@pytest.mark.parametrize("interval", [0, -1])
def test_an_interval_below_one_is_refused(name: str, interval: int) -> None:
    with pytest.raises(ValueError, match=f"interval of {name} is {interval}"):
        make_strategy(name, interval=interval)


OWN = """
from dataclasses import dataclass
from bifrons.records import Weights

@dataclass(frozen=True)
class Twice:
    factor: float = 2.0
    tasks = ("understanding", "generation")
    weighs_head = True
    def start(self): return {"seen": 0}
    def weigh(self, state, seen):
        return {"seen": state["seen"] + 1}, Weights(self.factor, self.factor)
"""


def test_a_strategy_of_ones_own(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """`module:function` is imported and gets the settings."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "own_strategy_of_a_test.py").write_text(OWN)
    monkeypatch.syspath_prepend(folder)
    strategy = make_strategy("own_strategy_of_a_test:Twice", factor=3.0)
    state: State = strategy.start()
    state, weights = strategy.weigh(state, Observation(step=0, gramian=SMALL, num_tokens=TOKENS))
    assert (state, weights) == ({"seen": 1}, Weights(3.0, 3.0))


@pytest.mark.parametrize(
    "name",
    ["no_such_module_anywhere:f", "bifrons.strategies:nothing", "bifrons.strategies:", ":f", ".relative:f"],
)
def test_a_strategy_that_cannot_be_imported_is_named(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be imported") as caught:
        make_strategy(name)
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize(("steps", "interval"), [(1, 1), (19, 1), (40, 2), (100, 5), (999, 49), (1000, 50), (5000, 50)])
def test_the_interval_shrinks_with_short_studies(steps: int, interval: int) -> None:
    assert default_interval(steps) == interval


@pytest.mark.parametrize(
    ("weights", "tasks"),
    [((1.0, 0.0), ("understanding",)), ((0.0, 0.5), ("generation",)), ((1.9, 0.1), BOTH)],
)
def test_a_task_of_weight_zero_is_not_run(weights: tuple[float, float], tasks: tuple[str, ...]) -> None:
    assert Fixed(*weights).tasks == tasks
