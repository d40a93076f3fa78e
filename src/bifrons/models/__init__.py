"""Architectures: one folder a family, the same file names in each."""

from bifrons.models.load import load

__all__ = ["load"]
