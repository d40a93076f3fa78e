"""Two losses to two gradients, their Gramian in total and per layer, and their weighted sum."""

from bifrons.gradients.gramian import Gradient, SharedParameter, combine, gramians, take

__all__ = ["Gradient", "SharedParameter", "combine", "gramians", "take"]
