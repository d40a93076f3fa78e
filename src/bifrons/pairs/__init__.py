"""One file a builder; all yield the same records, with provenance."""

from bifrons.pairs.built import Built
from bifrons.pairs.generation import model_against_model, real_against_generated
from bifrons.pairs.page import pairs_page
from bifrons.pairs.pictured import pictured_pairs
from bifrons.pairs.planted import planted_pairs
from bifrons.pairs.trl import read_trl, write_trl
from bifrons.pairs.understanding import understanding_pairs

__all__ = [
    "Built",
    "model_against_model",
    "pairs_page",
    "pictured_pairs",
    "planted_pairs",
    "read_trl",
    "real_against_generated",
    "understanding_pairs",
    "write_trl",
]
