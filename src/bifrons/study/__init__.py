"""A grid of methods and seeds that runs what is missing, resumes after a kill, and keeps every figure's origin."""

from bifrons.study.config import StudyConfig, check_files, read_study
from bifrons.study.estimate import estimate
from bifrons.study.run import run_study

__all__ = ["StudyConfig", "check_files", "estimate", "read_study", "run_study"]
