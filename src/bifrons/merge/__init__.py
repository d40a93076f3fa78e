"""Soups of adapters."""

from bifrons.merge.soup import soup

__all__ = ["soup"]
