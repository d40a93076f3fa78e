"""What holds for every strategy under every Gramian, however bad, and what each of them remembers."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from itertools import product
from statistics import median

import pytest

from bifrons.records import Gramian, Observation, State, Weights
from bifrons.strategies import STRATEGIES, Strategy, make_strategy

Observe = Callable[..., Observation]

NORMS = [10.0**power for power in range(-10, 11, 2)]
COSINES = (-1.0, -0.999, -1e-6, 0.0, 0.3, 1.0)
BALANCING = ("gradient_weighted", "gradient_weighted_smoothed", "length_normalized")
MORE = ("aligned_mtl", "cagrad", "fairgrad", "gradvac", "imtl_g", "mgda", "upgrad")
USES_GRAMIAN = ("pcgrad", "gradient_weighted", "gradient_weighted_smoothed", *MORE)
ANY_SIGN = ("aligned_mtl", "imtl_g")  # their definitions allow a task to be weighted below 0
HAS_INTERVAL = ("gradient_weighted", "gradient_weighted_smoothed")
INFINITE, NOT_A_NUMBER = float("inf"), float("nan")
DEGENERATE = {
    "no understanding gradient": Gramian(0.0, 0.0, 1.0),
    "no generation gradient": Gramian(1.0, 0.0, 0.0),
    "no gradient": Gramian(0.0, 0.0, 0.0),
    "infinite understanding": Gramian(INFINITE, 1.0, 1.0),
    "infinite generation": Gramian(1.0, -1.0, INFINITE),
    "understanding is nan": Gramian(NOT_A_NUMBER, 0.0, 1.0),
    "generation is nan": Gramian(1.0, 0.0, NOT_A_NUMBER),
    "product is nan": Gramian(1.0, NOT_A_NUMBER, 1.0),
    "product is infinite": Gramian(1.0, -INFINITE, 1.0),
    "not measured": None,
}


def every_step(name: str) -> Strategy:
    """The strategy, computing its weights in every step where it has an interval."""
    return make_strategy(name, **({"interval": 1} if name in HAS_INTERVAL else {}))


def fold(strategy: Strategy, seen: Sequence[Observation], state: State | None = None) -> tuple[State, list[Weights]]:
    state = strategy.start() if state is None else state
    weights: list[Weights] = []
    for observation in seen:
        state, own = strategy.weigh(state, observation)
        weights.append(own)
    return state, weights


def assert_finite(weights: Weights) -> None:
    assert math.isfinite(weights.understanding) and math.isfinite(weights.generation)


def assert_not_negative(weights: Weights) -> None:
    assert weights.understanding >= 0 and weights.generation >= 0


def assert_sums_to_two(weights: Weights) -> None:
    assert weights.understanding + weights.generation == pytest.approx(2.0, rel=1e-12)


def assert_balanced(weights: Weights, gramian: Gramian) -> None:
    """w_U |g_U| = w_G |g_G|."""
    understanding = weights.understanding * gramian.norm_understanding
    assert understanding == pytest.approx(weights.generation * gramian.norm_generation, rel=1e-9)


@pytest.mark.parametrize("name", STRATEGIES)
def test_weights_are_finite_and_not_negative(name: str, observe: Observe) -> None:
    strategy = every_step(name)
    for understanding, generation, cosine in product(NORMS, NORMS, COSINES):
        seen = [observe(step, understanding, generation, cosine) for step in range(3)]
        for weights in fold(strategy, seen)[1]:
            assert_finite(weights)
            if name not in ANY_SIGN:
                assert_not_negative(weights)
            if weights.flag:
                assert name in MORE and cosine < -0.99 and weights == Weights(1.0, 1.0, "degenerate")


@pytest.mark.parametrize("name", BALANCING)
def test_balancing_weights_sum_to_two(name: str, observe: Observe) -> None:
    for understanding, generation, cosine in product(NORMS, NORMS, COSINES):
        seen = [observe(step, understanding, generation, cosine) for step in range(3)]
        for weights in fold(every_step(name), seen)[1]:
            assert_sums_to_two(weights)


def test_gradient_weighted_equalises_the_norms(observe: Observe) -> None:
    """And does so for any cosine: it looks at norms alone."""
    for understanding, generation, cosine in product(NORMS, NORMS, COSINES):
        seen = observe(1, understanding, generation, cosine)
        (weights,) = fold(every_step("gradient_weighted"), [seen])[1]
        assert seen.gramian is not None
        assert_balanced(weights, seen.gramian)


def test_pcgrad_is_naive_joint_without_conflict(observe: Observe) -> None:
    for understanding, generation in product(NORMS, NORMS):
        for cosine in (0.0, 1e-9, 0.3, 1.0):
            (weights,) = fold(make_strategy("pcgrad"), [observe(0, understanding, generation, cosine)])[1]
            assert weights == Weights(1.0, 1.0)


def test_length_normalized_gives_every_token_the_same_weight(observe: Observe) -> None:
    seen = observe(0, 1.0, 14.0, 0.0, num_tokens=(48.0, 576.0))
    (weights,) = fold(make_strategy("length_normalized"), [seen])[1]
    assert weights.understanding / weights.generation == pytest.approx(576 / 48, rel=1e-12)


@pytest.mark.parametrize("name", sorted({*USES_GRAMIAN} - {"gradvac"}))  # whose target moves: see its own test
@pytest.mark.parametrize("case", DEGENERATE)
def test_a_degenerate_gramian_gives_one_and_one_with_a_flag(name: str, case: str, observe: Observe) -> None:
    """And it leaves nothing in the state that would spoil a later step."""
    strategy = every_step(name)
    before, after = observe(1, 1.0, 3.0, -0.5), observe(3, 1.0, 3.0, -0.5)
    bad = Observation(step=2, gramian=DEGENERATE[case], num_tokens=(12.0, 64.0))
    state, (first, flagged, last) = fold(strategy, [before, bad, after])
    assert flagged == Weights(1.0, 1.0, "degenerate")
    assert last == first
    json.dumps(state, allow_nan=False)


@pytest.mark.parametrize("name", sorted(STRATEGIES.keys() - set(USES_GRAMIAN)))
def test_strategies_without_a_gramian_do_not_look_at_it(name: str, observe: Observe) -> None:
    strategy = make_strategy(name)
    (expected,) = fold(strategy, [observe(0)])[1]
    for gramian in DEGENERATE.values():
        (weights,) = fold(strategy, [Observation(step=0, gramian=gramian, num_tokens=(12.0, 64.0))])[1]
        assert weights == expected


def trajectory(observe: Observe, steps: int) -> list[Observation]:
    """A run whose ratio drifts and in which one step is degenerate."""
    seen = [
        observe(step, 1.0 + 0.1 * math.sin(step), 11.0 + 3 * math.cos(1.7 * step), -0.3 * math.sin(step / 3))
        for step in range(steps)
    ]
    seen[7] = Observation(step=7, gramian=Gramian(0.0, 0.0, 1.0), num_tokens=(12.0, 64.0))
    return seen


def test_gradient_weighted_holds_between_multiples_of_k(observe: Observe) -> None:
    """(1, 1) before step K, then the weights of step K, of 2K and so on, each held to the step before the next."""
    interval = 5
    seen = trajectory(observe, 20)
    _, weights = fold(make_strategy("gradient_weighted", interval=interval), seen)
    assert weights[:interval] == [Weights(1.0, 1.0)] * interval
    for start in (5, 10, 15):
        gramian = seen[start].gramian
        assert gramian is not None
        assert_balanced(weights[start], gramian)
        assert weights[start : start + interval] == [weights[start]] * interval
    assert len({weights[5], weights[10], weights[15]}) == 3


def test_gradient_weighted_holds_one_and_one_after_a_degenerate_computation(observe: Observe) -> None:
    """The flag stands in the record of the step that computed; the weights are held like any others."""
    _, weights = fold(make_strategy("gradient_weighted", interval=7), trajectory(observe, 15))
    assert weights[7] == Weights(1.0, 1.0, "degenerate")
    assert weights[8:14] == [Weights(1.0, 1.0)] * 6
    assert weights[14].understanding > 1.5


def test_smoothed_uses_the_medians_of_the_last_k_steps(observe: Observe) -> None:
    norms = [(1.0, 4.0), (2.0, 9.0), (100.0, 5.0), (1.5, 1e-9), (1.2, 7.0), (0.9, 6.0)]
    seen = [observe(step, *pair) for step, pair in enumerate(norms)]
    _, weights = fold(make_strategy("gradient_weighted_smoothed", interval=3), seen)
    for step, own in enumerate(weights):
        window = norms[max(0, step - 2) : step + 1]
        understanding, generation = median(u for u, _ in window), median(g for _, g in window)
        assert own.understanding == pytest.approx(2 * generation / (understanding + generation), rel=1e-12)


def test_smoothed_weights_stay_within_their_bounds(observe: Observe) -> None:
    """Where the literal weights starve a task, the smoothed ones leave it a twentieth."""
    for understanding, generation, cosine in product(NORMS, NORMS, COSINES):
        (weights,) = fold(every_step("gradient_weighted_smoothed"), [observe(1, understanding, generation, cosine)])[1]
        assert 0.05 <= weights.understanding <= 1.95
        assert 0.05 - 1e-12 <= weights.generation <= 1.95
    starving = observe(1, 1.0, 1e-9)
    assert fold(every_step("gradient_weighted"), [starving])[1][0].understanding < 1e-8
    assert fold(every_step("gradient_weighted_smoothed"), [starving])[1][0].understanding == 0.05


def test_one_odd_pair_does_not_starve_a_task(observe: Observe) -> None:
    """The trap that the smoothed strategy is for: the generation gradient vanishes in the one step that computes."""
    seen = [observe(step, 1.0, 1e-6 if step == 10 else 12.0) for step in range(20)]
    _, literal = fold(make_strategy("gradient_weighted", interval=10), seen)
    _, smoothed = fold(make_strategy("gradient_weighted_smoothed", interval=10), seen)
    assert max(weights.understanding for weights in literal[10:]) < 1e-5
    assert min(weights.understanding for weights in smoothed) > 1.8


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("cut", [0, 1, 6, 8, 13])
def test_a_run_resumed_from_a_stored_state_has_the_same_weights(name: str, cut: int, observe: Observe) -> None:
    """The state survives JSON, and is all that a strategy knows."""
    settings = {"interval": 4} if name in HAS_INTERVAL else {}
    seen = trajectory(observe, 20)
    end, whole = fold(make_strategy(name, **settings), seen)
    state, first = fold(make_strategy(name, **settings), seen[:cut])
    stored: State = json.loads(json.dumps(state, allow_nan=False))
    again, second = fold(make_strategy(name, **settings), seen[cut:], stored)
    assert first + second == whole
    assert again == end


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_state_is_not_changed_in_place(name: str, observe: Observe) -> None:
    """A state that was stored in a step record stays what it was."""
    strategy = every_step(name)
    state = strategy.start()
    for observation in trajectory(observe, 10):
        stored = json.dumps(state)
        following, _ = strategy.weigh(state, observation)
        assert json.dumps(state) == stored
        state = following


@pytest.mark.parametrize("name", HAS_INTERVAL)
def test_the_state_does_not_grow_without_end(name: str, observe: Observe) -> None:
    """It goes into every step record."""
    state, _ = fold(make_strategy(name, interval=5), [observe(step) for step in range(200)])
    assert len(json.dumps(state)) < 200
