"""The settings that define a run."""

from __future__ import annotations

import zlib
from dataclasses import MISSING, asdict, dataclass, field, fields
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bifrons.losses import PreferenceLoss, make_loss, usual_beta
from bifrons.protocol import AdapterSettings, Identity
from bifrons.records import Task
from bifrons.strategies import STRATEGIES, Strategy, default_interval, make_strategy

TASKS: tuple[Task, ...] = ("understanding", "generation")
FIRST = (  # settings of the first release; a later one is left out of the run key where it stands at its default
    *("strategy", "strategy_settings", "steps", "pairs_per_step", "beta_understanding", "beta_generation"),
    *("learning_rate", "weight_decay", "clip", "clip_mode", "adapter", "seed"),
)
FIRST_OF_ADAPTER = ("rank", "alpha", "dropout", "train_head", "seed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """All that decides a run besides model and data; the defaults are the study's, at 7B.

    `strategy` is a name, `module:function`, or a Strategy of your own; `strategy_settings` go to the named one.
    `clip_mode` clips LoRA and head together ("joint") or apart ("separate"). `interval` None lets the length of the run
    decide. A loss is a name of `losses.LOSSES` for each task, with settings of its own; beta None is its usual one
    (`losses.USUAL_BETA`, 0.1 for DPO). `coupling` "sum" weighs the two losses; "product" is HermesFlow's Eq. 6,
    -log sigmoid(D_U D_G), and is degenerate (see `losses.product`). With `paired`, record i of both lists comes in the
    same step. `pairs_per_step` counts an optimizer step's pairs a task over all processes; `accumulate` cuts a
    process's share into that many micro-batches to save memory, which is not part of the run. With dropout every pair
    is one anyway.
    """

    strategy: str | Strategy = "gradient_weighted"
    strategy_settings: dict[str, float] = field(default_factory=dict)
    steps: int = 1000
    pairs_per_step: int = 1
    beta_understanding: float | None = None
    beta_generation: float | None = None
    loss_understanding: str = "dpo"
    loss_generation: str = "dpo"
    loss_settings_understanding: dict[str, float] = field(default_factory=dict)
    loss_settings_generation: dict[str, float] = field(default_factory=dict)
    coupling: Literal["sum", "product"] = "sum"
    paired: bool = False
    accumulate: int = 1
    learning_rate: float = 5e-6
    weight_decay: float = 0.01
    clip: float = 1.0
    clip_mode: Literal["joint", "separate"] = "joint"
    adapter: AdapterSettings = AdapterSettings()
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "pairs_per_step", "accumulate"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it has to be at least 1")
        for name in ("beta_understanding", "beta_generation", "learning_rate", "clip"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name} is {value}; it has to be above 0")
        if self.clip_mode not in ("joint", "separate"):
            raise ValueError(f"clip_mode is {self.clip_mode!r}; it is 'joint' or 'separate'")
        if self.coupling not in ("sum", "product"):
            raise ValueError(f"coupling is {self.coupling!r}; it is 'sum' or 'product'")
        if self.accumulate > self.pairs_per_step:
            raise ValueError(
                f"accumulate is {self.accumulate}, which is more than the {self.pairs_per_step} pairs a step"
            )
        for task in TASKS:
            self.loss(task)
            if self.coupling == "product" and self.loss_name(task) != "dpo":
                raise ValueError(
                    f"coupling 'product' multiplies DPO margins; {self.loss_name(task)} has none of {task}"
                )
        if self.coupling == "product":
            if not self.paired:
                raise ValueError("coupling 'product' multiplies the margins of one record, so it needs paired=True")
            if len(self.make().tasks) < len(TASKS):
                raise ValueError(f"coupling 'product' needs both tasks; {self.strategy_name} trains one")

    def make(self) -> Strategy:
        if not isinstance(self.strategy, str):
            return self.strategy
        settings = dict(self.strategy_settings)
        if self.strategy in ("gradient_weighted", "gradient_weighted_smoothed"):
            settings.setdefault("interval", default_interval(self.steps))
        return make_strategy(self.strategy, **settings)

    @property
    def strategy_name(self) -> str:
        return self.strategy if isinstance(self.strategy, str) else type(self.strategy).__name__

    def definition(self, model: Identity, pairs: dict[Task, str]) -> dict[str, Any]:
        """What the run key is made from: this recipe, what the model scores by, and a content hash of each task's
        pairs.
        """
        values = asdict(self) | {"strategy": self.strategy_name, "resolved_strategy": described(self.make())}
        values = without_later_defaults(self, values, FIRST)
        values.pop("accumulate", None)  # who computes a pair, and when, is no part of a run
        values |= {f"beta_{task}": self.beta(task) for task in TASKS}
        values["adapter"] = without_later_defaults(self.adapter, values["adapter"], FIRST_OF_ADAPTER)
        own = STRATEGIES.get(self.strategy_name) is None
        return {
            "recipe": values,
            "own_strategy": own,
            "pairs": pairs,
            **model.scores_by,
        }

    def beta(self, task: Task) -> float:
        own = self.beta_understanding if task == "understanding" else self.beta_generation
        return usual_beta(self.loss_name(task)) if own is None else own

    def loss_name(self, task: Task) -> str:
        return self.loss_understanding if task == "understanding" else self.loss_generation

    def loss(self, task: Task) -> PreferenceLoss:
        """One task's loss with its beta and settings. Raises ValueError for a name or a setting that does not exist."""
        understanding = task == "understanding"
        settings = self.loss_settings_understanding if understanding else self.loss_settings_generation
        return make_loss(self.loss_name(task), self.beta(task), **settings)

    def learning_rate_at(self, step: int) -> float:
        """Cosine from the learning rate to 0."""
        return self.learning_rate * 0.5 * (1 + float(np.cos(np.pi * step / self.steps)))

    def indices(self, task: Task, step: int, num_pairs: int) -> list[int]:
        """Which pairs a step sees: each task cycles its own seeded shuffle, a new one each epoch.

        With `paired` both tasks cycle the same one.
        """
        order = "paired" if self.paired else task
        chosen: list[int] = []
        for cursor in range(step * self.pairs_per_step, (step + 1) * self.pairs_per_step):
            epoch, position = divmod(cursor, num_pairs)
            chosen.append(int(shuffle(self.seed, order, epoch, num_pairs)[position]))
        return chosen

    def noise_seed(self, task: Task, step: int, position: int = 0) -> int:
        """The seed of dropout for a pair by its position in the step: neither resuming, nor accumulation, nor the
        number of processes changes it.
        """
        place = [position] if position else []
        return int(np.random.default_rng([self.seed, zlib.crc32(task.encode()), step, 1, *place]).integers(2**62))


@lru_cache(maxsize=4)
def shuffle(seed: int, order: str, epoch: int, count: int) -> NDArray[np.int64]:
    return np.random.default_rng([seed, zlib.crc32(order.encode()), epoch]).permutation(count)


def without_later_defaults(settings: Any, values: dict[str, Any], first: tuple[str, ...]) -> dict[str, Any]:
    """`values` less the settings that came after the first release and stand at their default: a setting that is added
    must not give finished runs another key.
    """
    at_default: set[str] = set()
    for known in fields(settings):
        default = known.default_factory() if known.default_factory is not MISSING else known.default
        if known.name not in first and values[known.name] == default:
            at_default.add(known.name)
    return {name: value for name, value in values.items() if name not in at_default}


def described(strategy: Strategy) -> str:
    """A strategy with its settings, the same in every process: Python's default `repr` would hold an address."""
    made = type(strategy)
    if made.__repr__ is not object.__repr__:
        return repr(strategy)
    return f"{made.__module__}.{made.__qualname__}({getattr(strategy, '__dict__', {})})"
