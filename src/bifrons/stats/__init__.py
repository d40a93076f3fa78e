"""Statistics of a study: description, comparison, equivalence, power, corrections, bootstraps, correlation and slopes.

Pure functions of plain values. Too few values, or values that are not finite, raise ValueError; a statistic that the
data leave undefined is None, with the reason beside it, and never zero.
"""

from bifrons.stats.bootstrap import (
    BlockBootstrap,
    TwoWayBootstrap,
    block_bootstrap,
    two_way_bootstrap,
    two_way_bootstrap_difference,
)
from bifrons.stats.compare import (
    Comparison,
    TestName,
    cohens_d,
    one_sample,
    one_sample_from_moments,
    paired,
    welch,
    welch_from_moments,
)
from bifrons.stats.corrections import bonferroni, holm
from bifrons.stats.correlation import Correlation, GroupedCorrelation, grouped_correlation, pearson, spearman
from bifrons.stats.describe import Interval, Moments, Summary, moments_of, summarise, summarise_moments
from bifrons.stats.equivalence import Equivalence, EquivalenceVerdict, margin_in_raw_units, tost
from bifrons.stats.items import ItemComparison, compare_items
from bifrons.stats.power import (
    DetectableEffect,
    power_of_t_test,
    smallest_detectable_one_sample,
    smallest_detectable_paired,
    smallest_detectable_welch,
)
from bifrons.stats.slope import Slope, linear_slope, log_log_slope

__all__ = [
    "BlockBootstrap",
    "Comparison",
    "Correlation",
    "DetectableEffect",
    "Equivalence",
    "EquivalenceVerdict",
    "GroupedCorrelation",
    "Interval",
    "ItemComparison",
    "Moments",
    "Slope",
    "Summary",
    "TestName",
    "TwoWayBootstrap",
    "block_bootstrap",
    "bonferroni",
    "cohens_d",
    "compare_items",
    "grouped_correlation",
    "holm",
    "linear_slope",
    "log_log_slope",
    "margin_in_raw_units",
    "moments_of",
    "one_sample",
    "one_sample_from_moments",
    "paired",
    "pearson",
    "power_of_t_test",
    "smallest_detectable_one_sample",
    "smallest_detectable_paired",
    "smallest_detectable_welch",
    "spearman",
    "summarise",
    "summarise_moments",
    "tost",
    "two_way_bootstrap",
    "two_way_bootstrap_difference",
    "welch",
    "welch_from_moments",
]
