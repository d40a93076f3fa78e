"""The fit finds a law that was put in, and says so when there is none to find."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bifrons.diagnostics import fit_tokens
from bifrons.diagnostics.cuts import Cut, CutBatch


def made(
    count: int, exponent: float, factor: float, *, noise: float = 0.05, batch_noise: float = 0.5
) -> list[CutBatch]:
    """norm_U = a T^exponent, norm_G = factor a T^exponent, with noise a batch and a cut."""
    rng = np.random.default_rng(0)

    def cuts(tokens: list[int], scale: float) -> tuple[Cut, ...]:
        return tuple(
            Cut(
                first=None if t == tokens[-1] else t,
                tokens=t,
                differing=t - 1,
                norm=scale * t**exponent * rng.lognormal(0, noise),
            )
            for t in tokens
        )

    return [
        CutBatch(
            batch=i,
            records=(f"u{i}", f"g{i}"),
            understanding=cuts([4, 8, int(rng.integers(15, 40))], rng.lognormal(0, batch_noise)),
            generation=cuts([36, 72, 144, 288, 576], factor * rng.lognormal(0, batch_noise)),
        )
        for i in range(count)
    ]


@pytest.mark.parametrize(
    ("exponent", "verdict"),
    [
        (1.0, "in proportion"),
        (0.5, "less than in proportion"),
        (1.5, "more than in proportion"),
        (0.0, "no effect seen"),
    ],
)
def test_the_law_that_was_put_in_is_found(exponent: float, verdict: str) -> None:
    """Exponent and factor lie within their intervals, for the ratio and for each norm."""
    found = fit_tokens(made(60, exponent, factor=3.0))
    for law in (found.ratio, found.understanding, found.generation):
        assert law.slope.low is not None and law.slope.high is not None
        assert law.slope.low - 0.01 <= exponent <= law.slope.high + 0.01
    factor = found.ratio.factor
    assert factor.low is not None and factor.high is not None and factor.low < 3.0 < factor.high
    assert found.verdict == verdict
    assert found.skipped == 0 and len(found.cuts) == 15


def test_a_ratio_near_the_token_ratio_is_no_proof() -> None:
    """Ratio 16 at token ratio 16, and yet no dependence on tokens: what must not pass by construction does not."""
    found = fit_tokens(made(40, 0.0, factor=19.0))
    assert found.cuts[-1].ratio.value == pytest.approx(19.0, rel=0.3)
    assert found.verdict == "no effect seen"


def test_cuts_without_a_difference_are_left_out_and_counted() -> None:
    batches = made(10, 1.0, 3.0)
    dead = Cut(first=4, tokens=4, differing=0, norm=None)
    cut = [
        CutBatch(batch=b.batch, records=b.records, understanding=(dead, *b.understanding[1:]), generation=b.generation)
        for b in batches
    ]
    found = fit_tokens(cut)
    assert found.skipped == 10 * 5
    assert found.cuts[0].ratio.value is None and found.cuts[0].ratio.reason
    assert found.ratio.slope.n == 10
    assert "50 of 150 points are left out" in " ".join(found.as_json()["sentences"])
    assert found.understanding.slope.value is None and "needs 2" in found.understanding.slope.reason, (
        "two cuts are no line"
    )


def test_too_little_has_a_reason() -> None:
    for batches in ([], made(1, 1.0, 3.0)):
        found = fit_tokens(batches)
        assert found.verdict == "not testable" and found.ratio.slope.reason
        assert found.as_json()["sentences"][0].startswith("No slope could be fitted")
        json.dumps(found.as_json(), allow_nan=False)
    constant = [
        CutBatch(batch=i, records=("u", "g"), understanding=b.understanding[-1:], generation=b.generation[-1:])
        for i, b in enumerate(made(1, 1.0, 3.0) * 4)
    ]
    assert fit_tokens(constant).uncut.reason == "all pairs have one token ratio"
