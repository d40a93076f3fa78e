"""What another strategy's weights would have been along a stored run: a fold over its step records, without a model.

These are its weights along the recorded trajectory. Had it trained, the parameters, and so the gradients of every later
step, would have been others: a replay is not that strategy's result.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bifrons.diagnostics.recommendation import along_generation
from bifrons.records import Observation, StepRecord, Weights
from bifrons.strategies import Strategy, default_interval, make_strategy

INTERVALS = ("gradient_weighted", "gradient_weighted_smoothed")  # strategies whose interval follows the run's length
CAVEAT = "Weights along the recorded trajectory, not that strategy's result."


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """One strategy's weights at every step of a run, and how they and the direction that they give spread.

    `generation_share` is the mean share of the squared length of the weighted sum that lies along generation, over the
    steps with usable gradients; None where there is none. `flagged` counts steps where the strategy gave (1, 1) because
    it could not tell.
    """

    strategy: str
    weights: tuple[Weights, ...]
    generation_share: float | None
    flagged: int

    def median(self, task: str) -> float:
        return statistics.median(getattr(w, task) for w in self.weights)

    def range_of(self, task: str) -> tuple[float, float]:
        values = [getattr(w, task) for w in self.weights]
        return min(values), max(values)

    def as_json(self) -> dict[str, Any]:
        """Summaries, and the weights as two lists."""
        return {
            "strategy": self.strategy,
            "understanding": [w.understanding for w in self.weights],
            "generation": [w.generation for w in self.weights],
            "generation_share": self.generation_share,
            "flagged": self.flagged,
        }


def replay_steps(steps: Sequence[StepRecord], name: str) -> Replay:
    """Fold one strategy, by its name in the table or `module:function`, over a run's records.

    `gradient_weighted` and the smoothed one take the interval of a run of this length. `fixed_weight` holds, as in a
    study, the median weights of the second half of `gradient_weighted`, here of its replay. Token counts are means over
    the recorded steps. Raises ValueError for an unknown strategy, for no steps, and for a run that has no Gramian
    because it trained one task.
    """
    if not steps:
        raise ValueError("the run has no step records")
    if all(step.gramian is None for step in steps):
        raise ValueError("the run trained one task alone, so its records hold no Gramian to replay a strategy on")
    return spread_of(steps, name, fold(steps, strategy_for(steps, name)))


def recorded(steps: Sequence[StepRecord], name: str) -> Replay:
    """The weights that the run itself used, in the form of a replay."""
    return spread_of(steps, name, tuple(step.weights for step in steps))


def spread_of(steps: Sequence[StepRecord], name: str, weights: tuple[Weights, ...]) -> Replay:
    shares = [share for step, w in zip(steps, weights, strict=True) if (share := generation_share(step, w)) is not None]
    return Replay(
        strategy=name,
        weights=weights,
        generation_share=statistics.fmean(shares) if shares else None,
        flagged=sum(bool(w.flag) for w in weights),
    )


def strategy_for(steps: Sequence[StepRecord], name: str) -> Strategy:
    if name == "fixed_weight":
        dynamic = fold(steps, strategy_for(steps, "gradient_weighted"))
        second = dynamic[len(dynamic) // 2 :]
        held = {task: statistics.median(getattr(w, task) for w in second) for task in ("understanding", "generation")}
        return make_strategy(name, **held)
    return make_strategy(name, **({"interval": default_interval(len(steps))} if name in INTERVALS else {}))


def fold(steps: Sequence[StepRecord], strategy: Strategy) -> tuple[Weights, ...]:
    tokens = mean_tokens(steps)
    state, made = strategy.start(), list[Weights]()
    for step in steps:
        seen = Observation(
            step=step.step,
            gramian=step.gramian,
            num_tokens=tokens,
            understanding=step.understanding,
            generation=step.generation,
        )
        state, weights = strategy.weigh(state, seen)
        made.append(weights)
    return tuple(made)


def mean_tokens(steps: Sequence[StepRecord]) -> tuple[float, float]:
    found: list[float] = []
    for task in ("understanding", "generation"):
        seen = [getattr(step, task).num_tokens for step in steps if getattr(step, task) is not None]
        found.append(statistics.fmean(seen) if seen else 0.0)
    return found[0], found[1]


def generation_share(step: StepRecord, weights: Weights) -> float | None:
    """The squared cosine of w_U g_U + w_G g_G with g_G; None where a gradient is not usable or generation has no
    weight.
    """
    if step.gramian is None or step.gramian.degenerate or weights.generation == 0:
        return None
    if weights.understanding == 0:
        return 1.0
    cosine, ratio = step.gramian.cosine, step.gramian.generation_over_understanding
    assert cosine is not None and ratio is not None
    return along_generation(ratio * weights.generation / weights.understanding, cosine) ** 2


def as_json(replays: Sequence[Replay]) -> dict[str, Any]:
    """The layout of `replay.json`."""
    return {"caveat": CAVEAT, "replays": [replay.as_json() for replay in replays]}
