"""What a strategy is: a fold from observations to the weights of the two task gradients."""

from __future__ import annotations

from typing import Protocol

from bifrons.records import Observation, State, Task, Weights


class Strategy(Protocol):
    """A small fold. `state` is plain data: it goes into every checkpoint and every step record.

    `tasks` are those whose forward is run at all. `weighs_head` says whether the generation head's gradient is
    multiplied by w_G as well; Gramian methods, whose weights describe the shared parameters alone, leave it as it is.
    """

    @property
    def tasks(self) -> tuple[Task, ...]: ...

    @property
    def weighs_head(self) -> bool: ...

    def start(self) -> State: ...

    def weigh(self, state: State, seen: Observation) -> tuple[State, Weights]: ...
