"""The estimate of a drawing's log-probability against exact enumeration, and its masks and spread."""

from __future__ import annotations

import copy
import itertools
import math
from dataclasses import replace

import pytest
import torch
from tiny_showo import TOKENIZER, generation_pairs, layout, make_model, phi_config, text_tokenizer
from torch import Tensor

from bifrons.models.showo import from_network
from bifrons.models.showo.estimator import MaskEstimator, Weighting, mask_size, size_shares
from bifrons.models.showo.model import ShowoModel
from bifrons.models.showo.network import ShowoNetwork, body_config

THREE = 3


def subsets(length: int) -> list[tuple[int, ...]]:
    return [places for size in range(1, length + 1) for places in itertools.combinations(range(length), size)]


def expected(sums: dict[tuple[int, ...], float], estimator: MaskEstimator, length: int) -> float:
    """The exact expectation: over every mask with its probability. `sums` are those over its hidden codes."""
    shares, weights = size_shares(length), estimator.weights(length)
    return sum(
        float(shares[len(places)] * weights[len(places)]) * total / math.comb(length, len(places))
        for places, total in sums.items()
    )


def by_orders(log_p: dict[tuple[int, ...], list[float]]) -> float:
    """The mean over all 3! orders of drawing one code at a time. `log_p` is of each code, by what is hidden with it."""
    totals = []
    for order in itertools.permutations(range(THREE)):
        steps = [(order[k], tuple(sorted(order[k:]))) for k in range(THREE)]
        totals.append(sum(log_p[hidden][place] for place, hidden in steps))
    return sum(totals) / len(totals)


def toy_joint() -> tuple[dict[tuple[int, ...], list[float]], float]:
    """log p(code | visible) of one drawing of three codes under a joint distribution over 4 x 4 x 4, and its own
    log p.
    """
    joint = torch.rand(4, 4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    joint /= joint.sum()
    drawing = (2, 0, 3)
    found: dict[tuple[int, ...], list[float]] = {}
    for hidden in subsets(THREE):
        row = [0.0] * THREE
        for place in hidden:
            others = tuple(other for other in hidden if other != place)
            kept = joint.sum(dim=others, keepdim=True) if others else joint
            index = tuple(0 if other in others else drawing[other] for other in range(THREE))
            row[place] = float((kept / kept.sum(dim=place, keepdim=True))[index].log())
        found[hidden] = row
    return found, float(joint[drawing].log())


def test_of_a_true_joint_the_bound_is_the_log_probability() -> None:
    """Conditionals of one joint distribution: every order gives log p, and so does the expectation over masks."""
    log_p, exact = toy_joint()
    sums = {hidden: sum(row) for hidden, row in log_p.items()}
    assert by_orders(log_p) == pytest.approx(exact, abs=1e-12)
    assert expected(sums, MaskEstimator(weighting="elbo"), THREE) == pytest.approx(exact, abs=1e-12)
    assert expected(sums, MaskEstimator(weighting="maskgit"), THREE) != pytest.approx(exact, abs=1e-3)


@pytest.mark.parametrize("weighting", ["elbo", "maskgit"])
@pytest.mark.parametrize("length", [1, 3, 16, 1024])
def test_a_constant_code_probability_is_counted_once_a_code(weighting: Weighting, length: int) -> None:
    """Where every code has log-probability -1 whatever is hidden, the drawing has minus its length."""
    shares, weights = size_shares(length), MaskEstimator(weighting=weighting).weights(length)
    assert float(shares.sum()) == pytest.approx(1)
    assert float((shares * weights * torch.arange(length + 1)).sum()) == pytest.approx(length)


def test_sizes_have_the_shares_of_a_uniform_time() -> None:
    times = (torch.arange(200_000) + 0.5) / 200_000
    counted = torch.bincount(torch.tensor([mask_size(float(t), 16) for t in times]), minlength=17) / len(times)
    torch.testing.assert_close(counted.double(), size_shares(16), rtol=0, atol=2e-5)


def three_code_model(estimator: MaskEstimator) -> ShowoModel:
    """A network whose drawings have three codes."""
    shape = replace(layout(), num_image_tokens=THREE)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = ShowoNetwork(body_config(phi_config(), shape), shape, TOKENIZER).eval()
    with torch.no_grad():
        for parameter in network.showo.parameters():
            parameter.mul_(6)
    return from_network(copy.deepcopy(network), text_tokenizer(), name="three", estimator=estimator)


def one_mask(model: ShowoModel, hidden: tuple[int, ...]) -> Tensor:
    """[3] log-probabilities of the chosen codes that this mask hides, 0 elsewhere."""
    places = torch.zeros(1, THREE, dtype=torch.bool)
    places[0, list(hidden)] = True
    stub = copy.copy(model)
    stub.estimator = type("One", (), {"masks": lambda *_: (places, torch.ones(1))})()
    with torch.no_grad():
        found = stub.token_log_probs(stub.pack(generation_pairs(1, THREE)))
    return found.values[:THREE].double()


@pytest.mark.parametrize("weighting", ["elbo", "maskgit"])
def test_the_networks_estimate_is_exact_in_the_mean(weighting: Weighting) -> None:
    """Three codes, seven masks: enumerated, against the mean over 600 masks, within 4 standard errors; `elbo` is the
    mean over orders.
    """
    model = three_code_model(MaskEstimator(num_masks=600, weighting=weighting))
    log_p = {hidden: one_mask(model, hidden).tolist() for hidden in subsets(THREE)}
    exact = expected({hidden: sum(row) for hidden, row in log_p.items()}, model.estimator, THREE)
    if weighting == "elbo":
        assert exact == pytest.approx(by_orders(log_p), abs=1e-6)
    packed = model.pack(generation_pairs(1, THREE))
    with torch.no_grad():
        found = float(model.log_probs(packed).sums[0, 0])
    estimates = model.mask_estimates(packed)
    assert float(estimates.mean(dim=-1)[0, 0]) == pytest.approx(found, rel=1e-5)
    error = float(model.estimator.spread(estimates)[0][0, 0])
    assert 0 < error < 0.2 * abs(exact)
    assert abs(found - exact) < 4 * error


def test_antithetic_masks_hide_every_place() -> None:
    """So that every code is scored; and the same name has the same masks, another name others."""
    for length in (1, 2, 3, 7, 16, 64):
        for index in range(200):
            hidden, _ = MaskEstimator(num_masks=2).masks(f"pair {index}", length)
            assert bool(hidden.any(dim=0).all()) and bool(hidden.any(dim=1).all())
    first, second = (MaskEstimator().masks("pair", 64) for _ in range(2))
    assert torch.equal(first[0], second[0]) and torch.equal(first[1], second[1])
    assert not torch.equal(first[0], MaskEstimator().masks("other pair", 64)[0])
    assert not torch.equal(first[0], MaskEstimator(seed=1).masks("pair", 64)[0])


def test_chosen_and_rejected_have_the_same_masks() -> None:
    model = make_model()
    packed = model.pack(generation_pairs())
    hidden = (packed.ids == layout().mask).view(2, 2, 4, -1)
    assert torch.equal(hidden[:, 0], hidden[:, 1]) and not torch.equal(hidden[0, 0], hidden[1, 0])


def test_spread() -> None:
    """The standard error of the mean; antithetic masks count as one each two, of which there have to be two."""
    estimates = torch.randn(3, 2, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    sums, difference = MaskEstimator(num_masks=8, antithetic=False).spread(estimates)
    torch.testing.assert_close(sums, estimates.std(dim=-1) / math.sqrt(8))
    torch.testing.assert_close(difference, (estimates[:, 0] - estimates[:, 1]).std(dim=-1) / math.sqrt(8))
    twos = (estimates[..., ::2] + estimates[..., 1::2]) / 2
    torch.testing.assert_close(MaskEstimator(num_masks=8).spread(estimates)[0], twos.std(dim=-1) / 2)
    assert bool(MaskEstimator(num_masks=2).spread(estimates[..., :2])[0].isnan().all())


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"num_masks": 3}, "even"), ({"num_masks": 0, "antithetic": False}, "at least 1"), ({"weighting": "x"}, "elbo")],
)
def test_bad_settings(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        MaskEstimator(**settings)  # type: ignore[arg-type]
