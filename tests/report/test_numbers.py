# ruff: noqa: RUF001 (real minus signs and dashes are what is tested)
"""How numbers are printed."""

from __future__ import annotations

import math

import pytest

from bifrons.report.numbers import (
    count,
    decimals_for,
    delta_text,
    listed,
    mean_text,
    p_value,
    plain,
    signed,
    significant,
)


def test_no_data_is_a_dash_and_never_zero() -> None:
    assert [plain(None, 3), signed(None, 3), p_value(None), mean_text(None, None, 2), delta_text(None, None, 2)] == [
        "–"
    ] * 5


def test_signs() -> None:
    assert signed(0.1234, 2) == "+0.12"
    assert signed(-0.1234, 2) == "−0.12"
    assert signed(-0.0004, 2) == signed(0.0004, 2) == "0.00"
    assert plain(-1.5, 1) == "−1.5"


def test_interval_forms() -> None:
    assert mean_text(2.0, (1.5, 2.5), 2) == "2.00 ± 0.50"
    assert mean_text(2.0, (1.5, 3.5), 1).replace("\u00a0", " ") == "2.0 [1.5, 3.5]"
    assert delta_text(0.2, (-0.1, 0.5), 1).replace("\u00a0", " ") == "+0.2 [−0.1, +0.5]"


@pytest.mark.parametrize(("p", "text"), [(0.00099, "<0.001"), (0.001, "0.001"), (0.0376, "0.038"), (1.0, "1.000")])
def test_p(p: float, text: str) -> None:
    assert p_value(p) == text


@pytest.mark.parametrize(
    ("widths", "decimals"), [([0.092], 3), ([0.29, 0.5], 2), ([3.0], 1), ([40.0], 0), ([], 3), ([1e-9], 4), ([0.0], 3)]
)
def test_decimals_follow_the_interval(widths: list[float], decimals: int) -> None:
    assert decimals_for(widths) == decimals


@pytest.mark.parametrize(
    ("value", "text"),
    [(12.345, "12.3"), (0.081, "0.0810"), (1.2e-6, "1.20e−6"), (0.0, "0"), (1234567.0, "1.23e6"), (-2.1, "−2.10")],
)
def test_significant(value: float, text: str) -> None:
    assert significant(value) == text


def test_words() -> None:
    assert significant(math.inf) == "inf"
    assert [count(1, "seed"), count(1300, "pair"), count(2, "strategy", "strategies")] == [
        "1 seed",
        "1,300 pairs",
        "2 strategies",
    ]
    assert [listed([]), listed("a"), listed("ab"), listed("abc")] == ["", "a", "a and b", "a, b and c"]
