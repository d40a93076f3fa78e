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
from bifrons.records.homologous import (
    HomologousRecord,
    JudgeQuestion,
    Sample,
    homologous_pairs,
    join_pairs,
)
from bifrons.records.homologous_files import read_homologous, write_homologous
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
    "HomologousRecord",
    "JudgeQuestion",
    "Observation",
    "Pair",
    "Provenance",
    "RunRecord",
    "Sample",
    "State",
    "StepRecord",
    "Task",
    "TaskStep",
    "UnderstandingPair",
    "Weights",
    "content_hash",
    "homologous_pairs",
    "join_pairs",
    "pairs_hash",
    "read_homologous",
    "read_json",
    "read_lines",
    "read_pairs",
    "read_steps",
    "run_key",
    "step_to_line",
    "write_homologous",
    "write_json",
    "write_pairs",
    "write_text",
]
