"""Two backwards and a weighted sum do what one backward of the weighted loss does; the Gramian is the plain one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from bifrons.gradients import combine, gramians, take
from bifrons.records import Gramian

LAYERS = (0, 0, 1, 1)  # of the trunk's parameters: weight and bias of two linear maps


class TwoFaces(nn.Module):
    """A shared trunk, and one head a task that the other task does not reach."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.trunk = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 6), nn.Tanh())
        self.understanding_head = nn.Linear(6, 3)
        self.generation_head = nn.Linear(6, 4)
        self.inputs = torch.randn(8, 5)

    def losses(self) -> tuple[Tensor, Tensor]:
        """On two graphs, as two batches of two tasks are."""
        understanding = self.understanding_head(self.trunk(self.inputs)).square().mean()
        generation = self.generation_head(self.trunk(self.inputs.flip(0) * 2)).logsumexp(-1).mean()
        return understanding, generation

    def both(self) -> tuple[list[Tensor | None], list[Tensor | None]]:
        """The two task gradients on all parameters, one backward each."""
        understanding, generation = self.losses()
        understanding.backward()
        g_U = take(list(self.parameters()))
        generation.backward()
        return g_U, take(list(self.parameters()))

    def plain(self, weight_understanding: float, weight_generation: float) -> list[Tensor | None]:
        """The oracle: one backward of the weighted sum of losses."""
        understanding, generation = self.losses()
        (weight_understanding * understanding + weight_generation * generation).backward()
        return take(list(self.parameters()))


@pytest.fixture(params=[0, 1, 2])
def network(request: pytest.FixtureRequest) -> TwoFaces:
    return TwoFaces(request.param)


@pytest.mark.parametrize("weights", [(1.0, 1.0), (1.7, 0.3), (0.05, 1.95)])
def test_combination_is_the_backward_of_the_weighted_loss(network: TwoFaces, weights: tuple[float, float]) -> None:
    """(1, 1) is the naive joint step: equal to the summed loss's own gradient to a few units of fp32."""
    combined = combine(*network.both(), *weights)
    for ours, plain in zip(combined, network.plain(*weights), strict=True):
        assert ours is not None and plain is not None
        scale = plain.abs().max().item()
        torch.testing.assert_close(ours, plain, rtol=0, atol=8 * torch.finfo(torch.float32).eps * scale)


def test_take_leaves_no_gradient_behind(network: TwoFaces) -> None:
    """What the second task leaves in `.grad` is its own, and afterwards nothing is left there."""
    g_U, g_G = network.both()
    assert all(parameter.grad is None for parameter in network.parameters())
    network.losses()[1].backward()
    alone = take(list(network.parameters()))
    for taken, own in zip(g_G, alone, strict=True):
        assert (taken is None) == (own is None)
        assert taken is None or own is None or torch.equal(taken, own)
    assert any(u is not None and g is not None and not torch.equal(u, g) for u, g in zip(g_U, g_G, strict=True))


def test_gradients_do_not_reach_the_other_head(network: TwoFaces) -> None:
    g_U, g_G = network.both()
    names = [name for name, _ in network.named_parameters()]
    assert {n for n, g in zip(names, g_U, strict=True) if g is None} == {
        "generation_head.weight",
        "generation_head.bias",
    }
    assert {n for n, g in zip(names, g_G, strict=True) if g is None} == {
        "understanding_head.weight",
        "understanding_head.bias",
    }


def test_a_task_of_weight_zero_leaves_no_trace(network: TwoFaces) -> None:
    """Understanding-only leaves the generation head without a gradient, so that weight decay cannot move it."""
    g_U, g_G = network.both()
    combined = combine(g_U, g_G, 1.0, 0.0)
    for name, ours, own in zip(dict(network.named_parameters()), combined, g_U, strict=True):
        assert (ours is None) == name.startswith("generation_head")
        assert ours is None or own is None or torch.equal(ours, own)
    never_run = combine(g_U, [None] * len(g_U), 1.0, 1.0)
    assert [part is None for part in never_run] == [part is None for part in combined]
    assert combine([None], [None], 1.0, 1.0) == [None]
    assert combine([torch.ones(2)], [torch.full((2,), torch.inf)], 1.0, 0.0)[0].tolist() == [1.0, 1.0]


def trunk_gradients(network: TwoFaces) -> tuple[list[Tensor | None], list[Tensor | None]]:
    g_U, g_G = network.both()
    return g_U[: len(LAYERS)], g_G[: len(LAYERS)]


def flat(gradients: list[Tensor | None], layer: int | None = None) -> Tensor:
    kept = [g for g, own in zip(gradients, LAYERS, strict=True) if g is not None and layer in (None, own)]
    return torch.cat([g.double().flatten() for g in kept])


def test_gramian_is_that_of_the_flattened_gradients(network: TwoFaces) -> None:
    u, g = trunk_gradients(network)
    total, per_layer = gramians(u, g, LAYERS)
    for layer, gramian in [(None, total), *enumerate(per_layer)]:
        u_flat, g_flat = flat(u, layer), flat(g, layer)
        assert gramian.uu == pytest.approx(float(u_flat @ u_flat), rel=1e-12)
        assert gramian.ug == pytest.approx(float(u_flat @ g_flat), rel=1e-9)
        assert gramian.gg == pytest.approx(float(g_flat @ g_flat), rel=1e-12)
    plain = torch.nn.functional.cosine_similarity(flat(u), flat(g), dim=0)
    assert total.cosine == pytest.approx(float(plain), rel=1e-9)
    assert total.generation_over_understanding == pytest.approx(float(flat(g).norm() / flat(u).norm()), rel=1e-12)


def test_layers_sum_to_the_total_in_order_of_depth() -> None:
    """Layers may be given in any order, and come back from the input upwards."""
    u = [torch.tensor([3.0]), torch.tensor([1.0, 2.0]), torch.tensor([[4.0]])]
    g = [torch.tensor([1.0]), torch.tensor([0.5, -1.0]), torch.tensor([[2.0]])]
    total, per_layer = gramians(u, g, [5, 0, 5])
    assert per_layer == (Gramian(5.0, -1.5, 1.25), Gramian(25.0, 11.0, 5.0))
    assert total == Gramian(30.0, 9.5, 6.25)


def test_products_are_taken_in_float64() -> None:
    """A million equal squares: an fp32 sum would be off in the sixth digit, and bf16 would be nowhere."""
    part = torch.full((1_000_000,), 0.1, dtype=torch.bfloat16)
    exact = 1_000_000 * float(part[0]) ** 2
    total, _ = gramians([part], [part * 1e-3], [0])
    assert total.uu == pytest.approx(exact, rel=1e-12)


def test_a_missing_gradient_counts_as_zero() -> None:
    one = torch.tensor([2.0, 0.0])
    total, per_layer = gramians([one, None, None], [None, one, None], [0, 1, 2])
    assert per_layer == (Gramian(4.0, 0.0, 0.0), Gramian(0.0, 0.0, 4.0), Gramian(0.0, 0.0, 0.0))
    assert total == Gramian(4.0, 0.0, 4.0)
    assert [layer.cosine for layer in per_layer] == [None, None, None]
    assert total.cosine == 0.0


def test_lists_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="1 and 2 gradients for 1 parameters"):
        gramians([None], [None, None], [0])
    with pytest.raises(ValueError, match="1 and 0 gradients of the same parameters"):
        combine([None], [], 1.0, 1.0)


@pytest.mark.parametrize("scale", [1e-10, 1e-3, 1.0, 1e10])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_cosine_stays_within_its_bounds(scale: float, sign: float) -> None:
    """Of parallel gradients of any size the cosine is 1 or -1 and never a rounding error beyond."""
    for seed in range(50):
        torch.manual_seed(seed)
        u = torch.randn(37)
        total, _ = gramians([u], [u * (sign * scale)], [0])
        assert total.cosine is not None
        assert -1.0 <= total.cosine <= 1.0
        assert total.cosine == pytest.approx(sign, abs=1e-6)


@pytest.mark.parametrize(
    "gramian",
    [
        Gramian(0.0, 0.0, 1.0),
        Gramian(1.0, 0.0, 0.0),
        Gramian(float("inf"), 1.0, 1.0),
        Gramian(1.0, 1.0, float("nan")),
        Gramian(1.0, float("nan"), 1.0),
    ],
)
def test_cosine_and_ratio_of_a_degenerate_gramian_are_absent(gramian: Gramian) -> None:
    assert gramian.degenerate
    assert gramian.cosine is None
    assert gramian.generation_over_understanding is None


def test_products_equal_one_dot_for_each_parameter() -> None:
    """The layer's matrix product against plain dots in float64, to 1e-12 of the norms; gaps and all shapes included."""
    generator = torch.Generator().manual_seed(0)
    shapes = [(7,), (3, 5), (64, 33), (1,), (2, 3, 4), (300, 11)]
    layers = [0, 1, 0, 2, 1, 2]
    u, g = ([torch.randn(shape, generator=generator) * scale for shape in shapes] for scale in (1e-3, 40.0))
    u[3], g[4] = None, None
    total, per_layer = gramians(u, g, layers)
    expected = [[0.0, 0.0, 0.0] for _ in range(3)]
    for layer, own, other in zip(layers, u, g, strict=True):
        a, b = (None if t is None else t.double().flatten() for t in (own, other))
        expected[layer][0] += 0.0 if a is None else float(a @ a)
        expected[layer][1] += 0.0 if a is None or b is None else float(a @ b)
        expected[layer][2] += 0.0 if b is None else float(b @ b)
    for found, (uu, ug, gg) in zip(per_layer, expected, strict=True):
        assert (found.uu, found.gg) == pytest.approx((uu, gg), rel=1e-12)
        assert found.ug == pytest.approx(ug, abs=1e-12 * (uu * gg) ** 0.5)
    assert total.uu == pytest.approx(sum(uu for uu, _, _ in expected), rel=1e-12)


def test_products_of_shards_add_up() -> None:
    """Two disjoint halves of each gradient, summed as processes would, give the products of the whole."""
    generator = torch.Generator().manual_seed(1)
    u, g = ([torch.randn(10, 4, generator=generator) for _ in range(3)] for _ in range(2))
    whole = gramians(u, g, [0, 0, 1])
    parts: list[torch.Tensor] = []

    def keep(products: torch.Tensor) -> torch.Tensor:
        parts.append(products)
        return products

    for half in (slice(0, 3), slice(3, 10)):
        gramians([t[half] for t in u], [t[half] for t in g], [0, 0, 1], keep)
    summed, _ = gramians(u, g, [0, 0, 1], lambda _: parts[0] + parts[1])
    assert summed.ug == pytest.approx(whole[0].ug, rel=1e-12) and summed.uu == pytest.approx(whole[0].uu, rel=1e-12)
