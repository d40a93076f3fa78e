"""The settings that define a run."""

from __future__ import annotations

import zlib
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from bifrons.protocol import AdapterSettings, Identity
from bifrons.records import Task
from bifrons.strategies import STRATEGIES, Strategy, default_interval, make_strategy

TASKS: tuple[Task, ...] = ("understanding", "generation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """All that decides a run besides model and data; the defaults are the study's, at 7B.

    `strategy` is a name, `module:function`, or a Strategy of your own; `strategy_settings` go to the named one.
    `clip_mode`
    clips LoRA and head together ("joint") or apart ("separate"). `interval` None lets the length of the run decide.
    """

    strategy: str | Strategy = "gradient_weighted"
    strategy_settings: dict[str, float] = field(default_factory=dict)
    steps: int = 1000
    pairs_per_step: int = 1
    beta_understanding: float = 0.1
    beta_generation: float = 0.1
    learning_rate: float = 5e-6
    weight_decay: float = 0.01
    clip: float = 1.0
    clip_mode: Literal["joint", "separate"] = "joint"
    adapter: AdapterSettings = AdapterSettings()
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "pairs_per_step"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it has to be at least 1")
        for name in ("beta_understanding", "beta_generation", "learning_rate", "clip"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it has to be above 0")
        if self.clip_mode not in ("joint", "separate"):
            raise ValueError(f"clip_mode is {self.clip_mode!r}; it is 'joint' or 'separate'")

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
        """What the run key is made from: this recipe, the model's weights, and a content hash of each task's pairs."""
        values = asdict(self) | {"strategy": self.strategy_name, "resolved_strategy": described(self.make())}
        own = STRATEGIES.get(self.strategy_name) is None
        return {
            "recipe": values,
            "own_strategy": own,
            "model": model.fingerprint,
            "dtype": model.facts.get("dtype", ""),
            "pairs": pairs,
        }

    def beta(self, task: Task) -> float:
        return self.beta_understanding if task == "understanding" else self.beta_generation

    def learning_rate_at(self, step: int) -> float:
        """Cosine from the learning rate to 0."""
        return self.learning_rate * 0.5 * (1 + float(np.cos(np.pi * step / self.steps)))

    def indices(self, task: Task, step: int, num_pairs: int) -> list[int]:
        """Which pairs a step sees: each task cycles its own seeded shuffle, a new one each epoch."""
        chosen: list[int] = []
        for cursor in range(step * self.pairs_per_step, (step + 1) * self.pairs_per_step):
            epoch, position = divmod(cursor, num_pairs)
            order = np.random.default_rng([self.seed, zlib.crc32(task.encode()), epoch]).permutation(num_pairs)
            chosen.append(int(order[position]))
        return chosen

    def noise_seed(self, task: Task, step: int) -> int:
        """The seed of dropout in this step: resuming a run repeats it exactly."""
        return int(np.random.default_rng([self.seed, zlib.crc32(task.encode()), step, 1]).integers(2**62))


def described(strategy: Strategy) -> str:
    """A strategy with its settings, the same in every process: Python's default `repr` would hold an address."""
    made = type(strategy)
    if made.__repr__ is not object.__repr__:
        return repr(strategy)
    return f"{made.__module__}.{made.__qualname__}({getattr(strategy, '__dict__', {})})"
