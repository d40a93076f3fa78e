"""The training strategies: folds over observations, and one table of their names."""

from bifrons.strategies.balance import GradientWeighted, GradientWeightedSmoothed
from bifrons.strategies.fixed import Fixed, LengthNormalized
from bifrons.strategies.pcgrad import PCGrad
from bifrons.strategies.strategy import Strategy
from bifrons.strategies.table import STRATEGIES, default_interval, make_strategy

__all__ = [
    "STRATEGIES",
    "Fixed",
    "GradientWeighted",
    "GradientWeightedSmoothed",
    "LengthNormalized",
    "PCGrad",
    "Strategy",
    "default_interval",
    "make_strategy",
]
