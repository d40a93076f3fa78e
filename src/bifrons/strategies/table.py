"""One table of the strategies' names."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import cast

from bifrons.strategies.balance import DEFAULT_INTERVAL, GradientWeighted, GradientWeightedSmoothed
from bifrons.strategies.cagrad import CAGrad
from bifrons.strategies.fairgrad import FairGrad
from bifrons.strategies.fixed import Fixed, LengthNormalized
from bifrons.strategies.gradvac import GradVac
from bifrons.strategies.pcgrad import PCGrad
from bifrons.strategies.strategy import Strategy
from bifrons.strategies.torchjd import TorchJD
from bifrons.strategies.upgrad import UPGrad

STRATEGIES: dict[str, Callable[..., Strategy]] = {
    "understanding_only": lambda: Fixed(1.0, 0.0),
    "generation_only": lambda: Fixed(0.0, 1.0),
    "naive_joint": lambda: Fixed(1.0, 1.0),
    "pcgrad": PCGrad,
    "gradient_weighted": GradientWeighted,
    "gradient_weighted_smoothed": GradientWeightedSmoothed,
    "length_normalized": LengthNormalized,
    "fixed_weight": Fixed,
    "aligned_mtl": lambda: TorchJD("AlignedMTLWeighting"),
    "cagrad": CAGrad,
    "fairgrad": FairGrad,
    "gradvac": GradVac,
    "imtl_g": lambda: TorchJD("IMTLGWeighting"),
    "mgda": lambda: TorchJD("MGDAWeighting"),
    "upgrad": UPGrad,
}
PAPER = (  # the seven of the study
    *("understanding_only", "generation_only", "naive_joint", "pcgrad"),
    *("gradient_weighted", "length_normalized", "fixed_weight"),
)


def default_interval(steps: int) -> int:
    """K for a run of this many steps: 50, and in short studies max(1, steps // 20) **(ours)**."""
    return min(DEFAULT_INTERVAL, max(1, steps // 20))


def make_strategy(name: str, **settings: float) -> Strategy:
    """A strategy by its name in the table, or by `module:function` for one of your own.

    Raises ValueError for an unknown name and for settings that the strategy does not take.
    """
    make = STRATEGIES.get(name)
    if make is None and ":" in name:
        module, _, attribute = name.partition(":")
        try:
            make = cast(Callable[..., Strategy], getattr(importlib.import_module(module), attribute))
        except (ImportError, AttributeError, TypeError, ValueError) as error:
            raise ValueError(f"strategy {name!r} cannot be imported: {error}") from error
    if make is None:
        raise ValueError(
            f"there is no strategy {name!r}; there are {', '.join(STRATEGIES)}, and module:function for your own"
        )
    try:
        return make(**settings)
    except TypeError as error:
        raise ValueError(f"strategy {name}: {error}") from None
