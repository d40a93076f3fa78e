"""The further methods: each keeps what defines it, for norms of 1e-10 to 1e10 and ratios up to 1e4, at any cosine."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable

import pytest

from bifrons.records import Gramian, Observation, State, Weights
from bifrons.strategies import STRATEGIES, Strategy, TorchJD, make_strategy
from bifrons.strategies.cagrad import CAGrad
from bifrons.strategies.gradvac import GradVac

Observe = Callable[..., Observation]
PAIRS_OF_NORMS = [
    (norm, norm * ratio)
    for norm in (1e-10, 1e-6, 1e-2, 1.0, 1e2, 1e6, 1e10)
    for ratio in (1e-4, 1 / 14, 1.0, 14.0, 1e4)
    if 1e-10 <= norm * ratio <= 1e10
]
COSINES = (-1.0, -0.999, -0.5, -0.05, 0.0, 0.05, 0.5, 0.999, 1.0)
MORE = ("aligned_mtl", "cagrad", "fairgrad", "gradvac", "imtl_g", "mgda", "upgrad")
GRID = [(*norms, cosine) for norms in PAIRS_OF_NORMS for cosine in COSINES]


def weights_of(strategy: Strategy, seen: Observation) -> tuple[Weights, Gramian]:
    assert seen.gramian is not None
    return strategy.weigh(strategy.start(), seen)[1], seen.gramian


def gains(weights: Weights, gramian: Gramian) -> tuple[float, float]:
    """<d, g_U> / |g_U| and <d, g_G> / |g_G| of the direction d, in units of what |d| could be at most."""
    u, g = weights.understanding * gramian.norm_understanding, weights.generation * gramian.norm_generation
    size, cosine = abs(u) + abs(g), gramian.ug / (gramian.norm_understanding * gramian.norm_generation)
    return (u + cosine * g) / size, (cosine * u + g) / size


def squared_norm(gramian: Gramian, understanding: float, generation: float) -> float:
    cross = 2 * understanding * generation * gramian.ug
    return understanding**2 * gramian.uu + cross + generation**2 * gramian.gg


@pytest.mark.parametrize("name", ["mgda", "upgrad"])
def test_neither_task_is_harmed(name: str, observe: Observe) -> None:
    """The direction opposes neither gradient: MGDA and UPGrad lie in the dual cone. To rounding of a projection."""
    strategy = make_strategy(name)
    for norms in GRID:
        assert min(gains(*weights_of(strategy, observe(0, *norms)))) >= -1e-9, norms


def test_mgda_is_the_shortest_mean(observe: Observe) -> None:
    """No other convex combination is shorter."""
    strategy = make_strategy("mgda")
    for norms in GRID:
        weights, gramian = weights_of(strategy, observe(0, *norms))
        assert weights.understanding + weights.generation == pytest.approx(1)
        length = math.sqrt(max(0.0, squared_norm(gramian, weights.understanding, weights.generation)))
        smaller = min(gramian.norm_understanding, gramian.norm_generation)
        for other in [0.0, 0.5, 1.0, *(abs(weights.understanding + step) for step in (-1e-3, 1e-3))]:
            if 0 <= other <= 1:
                away = math.sqrt(max(0.0, squared_norm(gramian, other, 1 - other)))
                assert length <= away + 1e-7 * smaller, norms


def test_imtl_g_projects_equally_on_both(observe: Observe) -> None:
    """And its weights are half of gradient weighting's at K = 1, except where gradients are parallel or opposed."""
    strategy, balanced = make_strategy("imtl_g"), make_strategy("gradient_weighted", interval=1)
    for norms in GRID:
        weights, gramian = weights_of(strategy, observe(1, *norms))
        if abs(norms[2]) == 1:
            continue
        understanding, generation = gains(weights, gramian)
        assert understanding == pytest.approx(generation, rel=1e-5, abs=1e-9), norms
        twice, _ = weights_of(balanced, observe(1, *norms))
        assert 2 * weights.understanding == pytest.approx(twice.understanding, rel=1e-5)
        assert 2 * weights.generation == pytest.approx(twice.generation, rel=1e-5)


def test_aligned_mtl_balances_what_it_transforms(observe: Observe) -> None:
    """Weights are B (1/2, 1/2) for the B that makes both gradients orthogonal and as long as the smallest singular
    value: B G B = lambda_min 1. Solved here by hand for two tasks.
    """
    strategy = make_strategy("aligned_mtl")
    for understanding, generation, cosine in GRID:
        if abs(cosine) == 1:
            continue
        weights, gramian = weights_of(strategy, observe(0, understanding, generation, cosine))
        trace = gramian.uu + gramian.gg
        determinant = (gramian.uu / trace) * (gramian.gg / trace) * (1 - cosine**2)
        root = math.sqrt(determinant)
        spread = math.sqrt(max(0.0, 0.25 - determinant))
        smallest = determinant / (0.5 + spread)  # of the eigenvalues of the Gramian scaled to trace 1
        # G^(-1/2) = (adj(G) + sqrt(det) 1) / (sqrt(det) sqrt(trace + 2 sqrt(det)))
        factor = math.sqrt(smallest) / (root * math.sqrt(1 + 2 * root))
        expected_u = factor * (gramian.gg / trace + root - gramian.ug / trace) / 2
        expected_g = factor * (gramian.uu / trace + root - gramian.ug / trace) / 2
        size = max(abs(expected_u), abs(expected_g))
        assert weights.understanding == pytest.approx(expected_u, abs=1e-6 * size)
        assert weights.generation == pytest.approx(expected_g, abs=1e-6 * size)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0, 5.0])
def test_fairgrad_solves_its_equation(alpha: float, observe: Observe) -> None:
    """G w = w^(-1/alpha), for the Gramian scaled to trace 1."""
    strategy = make_strategy("fairgrad", alpha=alpha)
    for norms in GRID:
        weights, gramian = weights_of(strategy, observe(0, *norms))
        if norms[2] == -1:
            assert weights == Weights(1.0, 1.0, "degenerate")
            continue
        trace = gramian.uu + gramian.gg
        u, g = weights.understanding, weights.generation
        assert u > 0 and g > 0
        rounding = 1e-12 / (1 + norms[2])  # near opposition the two products of a row nearly cancel
        assert (gramian.uu * u + gramian.ug * g) / trace == pytest.approx(u ** (-1 / alpha), rel=rounding), norms
        assert (gramian.ug * u + gramian.gg * g) / trace == pytest.approx(g ** (-1 / alpha), rel=rounding), norms


def test_nash_mtl_is_gradient_weighting(observe: Observe) -> None:
    """Proportional fairness is the bargaining solution of Nash-MTL; for two tasks it equalises the weighted norms."""
    for norms in GRID:
        weights, gramian = weights_of(make_strategy("fairgrad", alpha=1.0), observe(0, *norms))
        if not weights.flag:
            left, right = weights.understanding * gramian.norm_understanding, weights.generation
            assert left == pytest.approx(right * gramian.norm_generation, rel=1e-9)


@pytest.mark.parametrize("c", [0.1, 0.5, 0.9])
def test_cagrad_has_no_better_worst_case_in_its_ball(c: float, observe: Observe) -> None:
    """The direction lies on the ball of radius c |g_0| about the mean, and no other direction of that ball, seen at
    2,000 angles, gains more for the task that gains least.
    """
    for understanding, generation, cosine in [g for g in GRID if g[0] == 1.0 and g[1] in (1e-4, 1 / 14, 1.0, 14.0)]:
        weights, gramian = weights_of(CAGrad(c), observe(0, understanding, generation, cosine))
        if weights.flag:
            assert cosine == -1 and understanding == generation
            continue
        sine = math.sqrt(1 - cosine**2)
        u, g = (understanding, 0.0), (generation * cosine, generation * sine)
        mean = ((u[0] + g[0]) / 2, (u[1] + g[1]) / 2)
        radius = c * math.hypot(*mean)
        found = tuple(weights.understanding * a + weights.generation * b for a, b in zip(u, g, strict=True))
        assert math.dist(found, mean) == pytest.approx(radius, rel=1e-6, abs=1e-12)
        worst = min(found[0] * u[0] + found[1] * u[1], found[0] * g[0] + found[1] * g[1])
        for number in range(2000):
            angle = 2 * math.pi * number / 2000
            other = (mean[0] + radius * math.cos(angle), mean[1] + radius * math.sin(angle))
            gain = min(other[0] * u[0] + other[1] * u[1], other[0] * g[0] + other[1] * g[1])
            assert gain <= worst + 1e-9 * max(gramian.uu, gramian.gg) ** 0.5 * min(gramian.uu, gramian.gg) ** 0.5


def test_cagrads_dual_value_is_its_worst_gain(observe: Observe) -> None:
    """Strong duality over the whole range: the worst gain equals <g_w, g_0> + c |g_0| |g_w| at its own w."""
    for norms in GRID:
        weights, gramian = weights_of(CAGrad(0.5), observe(0, *norms))
        if weights.flag:
            assert norms[2] == -1
            continue
        extra_u, extra_g = weights.understanding - 0.5, weights.generation - 0.5
        share = extra_u / (extra_u + extra_g)
        direction = weights.understanding, weights.generation
        worst = min(
            direction[0] * gramian.uu + direction[1] * gramian.ug, direction[0] * gramian.ug + direction[1] * gramian.gg
        )
        linear = (share * (gramian.uu + gramian.ug) + (1 - share) * (gramian.ug + gramian.gg)) / 2
        radius = 0.5 * math.sqrt(max(0.0, squared_norm(gramian, 0.5, 0.5)))
        value = linear + radius * math.sqrt(max(0.0, squared_norm(gramian, share, 1 - share)))
        assert worst == pytest.approx(value, abs=1e-6 * max(gramian.uu, gramian.gg)), norms


def turned_cosine(weights: Weights, gramian: Gramian, task: str) -> float:
    """Cosine of one task's modified gradient with the other's original."""
    if task == "understanding":
        extra, own, other = weights.generation - 1, gramian.uu, gramian.gg
    else:
        extra, own, other = weights.understanding - 1, gramian.gg, gramian.uu
    length = math.sqrt(own + 2 * extra * gramian.ug + extra**2 * other)
    return (gramian.ug + extra * other) / (length * math.sqrt(other))


def test_gradvac_lifts_the_cosine_to_its_target(observe: Observe) -> None:
    """Each gradient, plus its share of the other, has exactly the target's cosine to it; above the target nothing."""
    strategy = GradVac()
    for target in (0.0, 0.3, -0.4, 0.9):
        for understanding, generation, cosine in GRID:
            seen = observe(0, understanding, generation, cosine)
            after, weights = strategy.weigh({"target": target}, seen)
            assert seen.gramian is not None and seen.gramian.cosine is not None
            assert after == {"target": pytest.approx(0.99 * target + 0.01 * seen.gramian.cosine)}
            if cosine >= target:
                assert weights == Weights(1.0, 1.0)
            elif cosine > -1:
                for task in ("understanding", "generation"):
                    assert turned_cosine(weights, seen.gramian, task) == pytest.approx(target, abs=1e-7)


def test_gradvacs_target_survives_a_degenerate_step(observe: Observe) -> None:
    bad = Observation(step=1, gramian=Gramian(0.0, 0.0, 1.0), num_tokens=(1.0, 1.0))
    assert GradVac().weigh({"target": 0.2}, bad) == ({"target": 0.2}, Weights(1.0, 1.0, "degenerate"))


def test_gradvac_is_torchjds_along_a_run(observe: Observe) -> None:
    """TorchJD's keeps its average in a buffer; ours in the state, and the weights are the same in every step."""
    torch = pytest.importorskip("torch")
    theirs = importlib.import_module("torchjd.aggregation").GradVacWeighting(beta=0.3, eps=0.0)
    ours = GradVac(beta=0.3)
    state: State = ours.start()
    for step in range(12):
        seen = observe(step, 1.0 + 0.2 * step, 3.0, 0.8 * math.sin(1.3 * step))
        assert seen.gramian is not None
        uu, ug, gg = seen.gramian.uu, seen.gramian.ug, seen.gramian.gg
        expected = theirs(torch.tensor([[uu, ug], [ug, gg]], dtype=torch.float64)).tolist()
        state, weights = ours.weigh(state, seen)
        assert [weights.understanding, weights.generation] == pytest.approx(expected, rel=1e-9)


def test_fairgrad_and_upgrad_against_torchjd(observe: Observe) -> None:
    """Where TorchJD's own solvers are at ease. UPGrad's needs quadprog, so its definition stands in for two tasks: the
    mean of both projections onto the dual cone.
    """
    torch = pytest.importorskip("torch")
    theirs = importlib.import_module("torchjd.aggregation").FairGradWeighting(alpha=2.0)
    for cosine in (-0.5, 0.0, 0.5):
        weights, gramian = weights_of(make_strategy("fairgrad", alpha=2.0), observe(0, 1.0, 2.0, cosine))
        rows = torch.tensor([[gramian.uu, gramian.ug], [gramian.ug, gramian.gg]], dtype=torch.float64)
        expected = theirs(rows / (gramian.uu + gramian.gg)).tolist()
        assert [weights.understanding, weights.generation] == pytest.approx(expected, rel=1e-4)
        halved, _ = weights_of(make_strategy("upgrad"), observe(0, 1.0, 2.0, cosine))
        projected_u, projected_g = max(0.0, -gramian.ug / gramian.gg), max(0.0, -gramian.ug / gramian.uu)
        assert halved.understanding == pytest.approx((1 + projected_g) / 2)
        assert halved.generation == pytest.approx((1 + projected_u) / 2)


@pytest.mark.parametrize("name", MORE)
@pytest.mark.parametrize("gramian", [Gramian(0.0, 0.0, 1.0), Gramian(1.0, 0.0, 0.0), Gramian(0.0, 0.0, 0.0)])
def test_a_zero_gradient_gives_one_and_one(name: str, gramian: Gramian) -> None:
    strategy = make_strategy(name)
    seen = Observation(step=3, gramian=gramian, num_tokens=(1.0, 1.0))
    assert strategy.weigh(strategy.start(), seen)[1] == Weights(1.0, 1.0, "degenerate")


def test_without_torchjd_its_methods_are_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """And all others work."""
    real = importlib.import_module

    def missing(name: str) -> object:
        if name.startswith("torchjd"):
            raise ImportError("No module named 'torchjd'")
        return real(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    for name in ("aligned_mtl", "imtl_g", "mgda"):
        with pytest.raises(ValueError, match=r"needs TorchJD: pip install 'bifrons\[strategies\]'"):
            make_strategy(name)
    assert len([make_strategy(name) for name in STRATEGIES if name not in ("aligned_mtl", "imtl_g", "mgda")]) == 12


@pytest.mark.parametrize("name", ["NothingWeighting", "CAGradWeighting"])
def test_an_unknown_weighting_is_named(name: str) -> None:
    """One that does not exist, and one that needs a setting."""
    with pytest.raises(ValueError, match=name):
        TorchJD(name)


@pytest.mark.parametrize(("name", "setting"), [("cagrad", {"c": 1.0}), ("fairgrad", {"alpha": 0.0})])
def test_settings_out_of_bounds_are_refused(name: str, setting: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(setting))):
        make_strategy(name, **setting)
