"""Architectures: one folder a family, the same file names in each."""

from bifrons.models.load import EMBEDDED, KNOWN, load

__all__ = ["EMBEDDED", "KNOWN", "load"]
