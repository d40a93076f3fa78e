"""The torch-free nouns of the library, and their files."""

from bifrons.records.files import (
    read_json,
    read_lines,
    read_pairs,
    read_steps,
    step_to_line,
    write_json,
    write_pairs,
    write_text,
)
from bifrons.records.preference import (
    GenerationPair,
    Pair,
    Provenance,
    Task,
    UnderstandingPair,
    content_hash,
    pairs_hash,
)
from bifrons.records.run import RunRecord, run_key
from bifrons.records.step import Gramian, Observation, State, StepRecord, TaskStep, Weights

__all__ = [
    "GenerationPair",
    "Gramian",
    "Observation",
    "Pair",
    "Provenance",
    "RunRecord",
    "State",
    "StepRecord",
    "Task",
    "TaskStep",
    "UnderstandingPair",
    "Weights",
    "content_hash",
    "pairs_hash",
    "read_json",
    "read_lines",
    "read_pairs",
    "read_steps",
    "run_key",
    "step_to_line",
    "write_json",
    "write_pairs",
    "write_text",
]
