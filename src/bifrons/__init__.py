"""Aligns both faces of a unified multimodal model with preferences, and shows whether they fight.

The names below are loaded when they are first used (PEP 562), so that `import bifrons` imports no torch.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

PUBLIC: dict[str, str] = {  # name: the module that holds it
    "Sampling": "bifrons.protocol",
    "align": "bifrons.training",
    "load": "bifrons.models",
    "make_strategy": "bifrons.strategies",
    "read_pairs": "bifrons.records",
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
