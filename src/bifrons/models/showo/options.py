"""What a user may set of a Show-o by name, and the settings that each name stands for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bifrons.models.showo.drawing import DrawingSettings
from bifrons.models.showo.estimator import MaskEstimator

Table = dict[str, tuple[str, type]]  # an option's name: its setting, and the type of its value

SCORING: Table = {  # of `MaskEstimator`
    "num_masks": ("num_masks", int),
    "weighting": ("weighting", str),
    "antithetic": ("antithetic", bool),
    "mask_seed": ("seed", int),
}
SAMPLING: Table = {  # of `DrawingSettings`
    "drawing_steps": ("steps", int),
    "guidance": ("guidance", float),
    "compounding": ("compounding", bool),
}
OPTIONS = {name: kind for name, (_, kind) in (SCORING | SAMPLING).items()}


def settings_in(options: Mapping[str, Any], table: Table) -> dict[str, Any]:
    """The options of one table, by their settings."""
    return {table[name][0]: value for name, value in options.items() if name in table}


def options_of(settings: MaskEstimator | DrawingSettings, table: Table) -> dict[str, int | float | str]:
    """The settings of one table, by their options."""
    return {name: getattr(settings, setting) for name, (setting, _) in table.items()}
