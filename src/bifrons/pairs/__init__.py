"""One file a builder; all yield the same records, with provenance."""

from bifrons.pairs.built import Built
from bifrons.pairs.generation import model_against_model, real_against_generated
from bifrons.pairs.planted import planted_pairs
from bifrons.pairs.understanding import understanding_pairs

__all__ = ["Built", "model_against_model", "planted_pairs", "real_against_generated", "understanding_pairs"]
