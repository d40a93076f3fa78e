"""The training strategies: folds over observations, and one table of their names."""

from bifrons.strategies.balance import GradientWeighted, GradientWeightedSmoothed
from bifrons.strategies.cagrad import CAGrad
from bifrons.strategies.fairgrad import FairGrad
from bifrons.strategies.fixed import Fixed, LengthNormalized
from bifrons.strategies.gradvac import GradVac
from bifrons.strategies.pcgrad import PCGrad
from bifrons.strategies.strategy import Strategy
from bifrons.strategies.table import PAPER, STRATEGIES, default_interval, make_strategy
from bifrons.strategies.torchjd import TorchJD
from bifrons.strategies.upgrad import UPGrad

__all__ = [
    "PAPER",
    "STRATEGIES",
    "CAGrad",
    "FairGrad",
    "Fixed",
    "GradVac",
    "GradientWeighted",
    "GradientWeightedSmoothed",
    "LengthNormalized",
    "PCGrad",
    "Strategy",
    "TorchJD",
    "UPGrad",
    "default_interval",
    "make_strategy",
]
