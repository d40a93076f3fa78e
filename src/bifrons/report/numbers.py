"""Numbers as they are printed: a real minus sign, a dash for no data, decimals chosen from the interval's width."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from bifrons.report.inputs import Bounds

DASH = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"


def plain(value: float | None, decimals: int) -> str:
    if value is None:
        return DASH
    text = f"{value:.{decimals}f}"
    if float(text) == 0:
        text = text.removeprefix("-")
    return text.replace("-", MINUS)


def signed(value: float | None, decimals: int) -> str:
    """With its sign, but for a value that rounds to zero."""
    text = plain(value, decimals)
    return text if value is None or value < 0 or float(text) == 0 else f"+{text}"


def significant(value: float, digits: int = 3) -> str:
    """A value on its own to so many significant digits, whole numbers whole."""
    if value == 0 or not math.isfinite(value):
        return str(value) if value else "0"
    if 1e-3 <= abs(value) < 1e6:
        return plain(value, max(0, digits - 1 - math.floor(math.log10(abs(value)))))
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return f"{mantissa}e{int(exponent)}".replace("-", MINUS)


def p_value(p: float | None) -> str:
    return DASH if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"


def half_width(interval: Bounds) -> float:
    return (interval[1] - interval[0]) / 2


def mean_text(mean: float | None, interval: Bounds | None, decimals: int) -> str:
    """`mean ± half the interval`, or `mean [low, high]` where the interval is not symmetric about it."""
    if mean is None or interval is None:
        return plain(mean, decimals)
    half = half_width(interval)
    if abs(sum(interval) / 2 - mean) > 0.05 * half:
        return f"{plain(mean, decimals)} {interval_text(interval, decimals, plain)}"
    return f"{plain(mean, decimals)} ± {plain(half, decimals)}"


def delta_text(delta: float | None, interval: Bounds | None, decimals: int) -> str:
    if delta is None or interval is None:
        return signed(delta, decimals)
    return f"{signed(delta, decimals)} {interval_text(interval, decimals, signed)}"


def interval_text(interval: Bounds, decimals: int, form: Callable[[float | None, int], str] = signed) -> str:
    return f"[{form(interval[0], decimals)},\u00a0{form(interval[1], decimals)}]"


def decimals_for(widths: Iterable[float]) -> int:
    """Decimals that print the median half width with two significant digits, between 0 and 4."""
    known = sorted(width for width in widths if width > 0)
    if not known:
        return 3
    return min(4, max(0, 1 - math.floor(math.log10(known[len(known) // 2]))))


def count(number: int, noun: str, plural: str = "") -> str:
    """`1 pair`, `1,300 pairs`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def listed(items: Iterable[str], last: str = "and") -> str:
    """`a, b and c`."""
    every = list(items)
    return every[0] if len(every) == 1 else f"{', '.join(every[:-1])} {last} {every[-1]}" if every else ""
