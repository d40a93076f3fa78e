"""What a study file says of a claim before the run: its statistics, their margins, and the rule of each."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

RuleName = Literal["above", "below", "equivalent", "not_above", "not_below", "within"]
RULES: dict[RuleName, str] = {
    "above": "the interval lies above the value; refuted where the difference is bounded below the margin",
    "below": "the interval lies below the value; refuted where the difference is bounded above the negative margin",
    "equivalent": "equivalence holds at the margin; refuted where it fails and the interval excludes the value",
    "not_above": "the margin above is excluded; refuted where it is not and the interval lies above the value",
    "not_below": "the margin below is excluded; refuted where it is not and the interval lies below the value",
    "within": "the whole interval lies between two bounds; refuted where it lies wholly outside",
}

# Statistics that are no metric. A condition on any other name is about the metric of that name.
STATISTICS: dict[str, str] = {
    "cosine": "cosine of the two task gradients on the untrained model, over mini-batches",
    "layer_cosines": "the same in each layer; every layer has to pass",
    "intra_understanding": "cosine of two batches of understanding, untrained model",
    "intra_generation": "cosine of two batches of generation, untrained model",
    "ratio": "length of the generation gradient over that of understanding, untrained model",
    "ratio_variation": "standard deviation of that ratio over its mean",
    "ratio_over_tokens": "that ratio over the ratio of token counts, per mini-batch",
    "token_slope": "slope of log ratio on log token ratio, where tokens are cut by intervention",
    "training_cosine": "cosine of the two task gradients along training, means over twentieths of each run",
    "loss_understanding": "final loss of understanding, one value a seed",
    "loss_generation": "final loss of generation, one value a seed",
    "loss_sum": "sum of both final losses, one value a seed",
    "weight_over_length": "settled ratio of the weights (understanding over generation, median of the second half) "
    "over the ratio of token counts, one value a seed",
    "control_planted": "held-out margin accuracy on planted generation pairs",
    "control_overfit_understanding": "margin accuracy on a few understanding pairs learned by heart",
    "control_overfit_generation": "margin accuracy on a few generation pairs learned by heart",
}
COMPARED = ("loss_understanding", "loss_generation", "loss_sum")  # statistics that can be set against another method


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Condition(Strict):
    """One statistic and what has to hold of it.

    `of` names a metric, compared with `against` over the same items, or one of STATISTICS. With several `methods` every
    one has to pass. `setting` picks cells of [[vary]] (and `against_setting` what they are compared with; the study's
    own setting where it is not given). `against` is the base for metrics unless given; "" takes the level itself, not a
    difference, as statistics do that are not set against another method.

    A difference of a metric has its `margin` in standard deviations of the base over items, one of a metric without
    items (F1, FID) as a share of the base's value; everything else, `value`, `low` and `high` too, is in the
    statistic's own unit. `margin` is the study's unless given. `model` is the study's first unless given.
    """

    of: str
    rule: RuleName
    methods: tuple[str, ...] = ()
    against: str | None = None
    setting: dict[str, bool | int | float | str] = {}
    against_setting: dict[str, bool | int | float | str] = {}
    model: str = ""
    value: float = 0.0
    margin: Annotated[float, Field(gt=0)] | None = None
    low: float | None = None
    high: float | None = None

    @model_validator(mode="after")
    def bounds_belong_to_within(self) -> Self:
        if (self.rule == "within") != (self.low is not None or self.high is not None):
            raise ValueError(
                f"the rule {self.rule!r} of {self.of!r}: low and high belong to 'within', and it needs one"
            )
        if self.is_metric and not self.methods:
            raise ValueError(
                f"{self.of!r} is taken for a metric, and then needs methods; statistics are {sorted(STATISTICS)}"
            )
        return self

    @property
    def is_metric(self) -> bool:
        return self.of not in STATISTICS

    @property
    def other(self) -> str:
        """The method that it is compared with; empty for a level."""
        return ("base" if self.is_metric else "") if self.against is None else self.against


class Claim(Strict):
    """A claim of the paper. All `conditions` have to hold; `requires` have to hold before it may be judged at all.

    `not_testable` is the reason why nothing here can judge it. `scope` is where the paper states it.
    """

    number: Annotated[int, Field(ge=1)]
    text: str
    scope: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()
    requires: tuple[Condition, ...] = ()
    not_testable: str = ""
    note: str = ""

    @model_validator(mode="after")
    def says_something(self) -> Self:
        if bool(self.conditions) == bool(self.not_testable):
            raise ValueError(f"claim {self.number} needs either conditions or the reason why it is not testable")
        return self
