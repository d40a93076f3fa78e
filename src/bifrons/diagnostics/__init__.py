"""What the two task gradients of a model look like: before training, along a stored run, and what they come from.

The names below are loaded when they are first used (PEP 562): only `diagnose_gradients` and `intervene` need torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bifrons.diagnostics.batches import Batch as Batch
    from bifrons.diagnostics.batches import read_batches as read_batches
    from bifrons.diagnostics.dynamics import Dynamics as Dynamics
    from bifrons.diagnostics.dynamics import run_dynamics as run_dynamics
    from bifrons.diagnostics.gradients import diagnose_gradients as diagnose_gradients
    from bifrons.diagnostics.intervention import intervene as intervene
    from bifrons.diagnostics.recommendation import Recommendation as Recommendation
    from bifrons.diagnostics.recommendation import recommend as recommend
    from bifrons.diagnostics.replay import Replay as Replay
    from bifrons.diagnostics.replay import replay_steps as replay_steps
    from bifrons.diagnostics.summary import GradientSummary as GradientSummary
    from bifrons.diagnostics.summary import summarise_gradients as summarise_gradients
    from bifrons.diagnostics.token_fit import fit_tokens as fit_tokens

PUBLIC: dict[str, str] = {  # name: the module that holds it
    "Batch": "batches",
    "Dynamics": "dynamics",
    "GradientSummary": "summary",
    "Recommendation": "recommendation",
    "Replay": "replay",
    "diagnose_gradients": "gradients",
    "fit_tokens": "token_fit",
    "intervene": "intervention",
    "read_batches": "batches",
    "recommend": "recommendation",
    "replay_steps": "replay",
    "run_dynamics": "dynamics",
    "summarise_gradients": "summary",
}


def __getattr__(name: str) -> Any:
    if name not in PUBLIC:
        raise AttributeError(f"module 'bifrons.diagnostics' has no attribute {name!r}")
    return getattr(import_module(f"bifrons.diagnostics.{PUBLIC[name]}"), name)
