"""The loop, read top to bottom: batch, two losses, Gramian, weights, step, record. Public name `bifrons.align`."""

from bifrons.training.held_out import HeldOut, held_out
from bifrons.training.loop import Alignment, align
from bifrons.training.recipe import Recipe
from bifrons.training.versions import versions

__all__ = ["Alignment", "HeldOut", "Recipe", "align", "held_out", "versions"]
