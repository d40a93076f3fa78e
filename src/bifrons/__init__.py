"""Aligns both faces of a unified multimodal model with preferences, and shows whether they fight.

The names below are loaded when they are first used (PEP 562), so that `import bifrons` imports no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bifrons.merge import soup as soup
    from bifrons.models import load as load
    from bifrons.protocol import Sampling as Sampling
    from bifrons.records import read_pairs as read_pairs
    from bifrons.records import write_pairs as write_pairs
    from bifrons.strategies import make_strategy as make_strategy
    from bifrons.training import Recipe as Recipe
    from bifrons.training import align as align

__version__ = "0.1.0"

PUBLIC: dict[str, str] = {  # name: the module that holds it
    "Recipe": "bifrons.training",
    "Sampling": "bifrons.protocol",
    "align": "bifrons.training",
    "load": "bifrons.models",
    "make_strategy": "bifrons.strategies",
    "read_pairs": "bifrons.records",
    "soup": "bifrons.merge",
    "write_pairs": "bifrons.records",
}


def __getattr__(name: str) -> Any:
    if name not in PUBLIC:
        raise AttributeError(f"module 'bifrons' has no attribute {name!r}")
    value = getattr(import_module(PUBLIC[name]), name)
    globals()[name] = value  # the next access does not come here again
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *PUBLIC])
