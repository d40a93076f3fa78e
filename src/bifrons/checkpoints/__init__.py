"""From a checkpoint's name to its folder and commit: what models and scorers share. Never pickle, never remote code."""

from bifrons.checkpoints.find import Checkpoint, find_checkpoint
from bifrons.checkpoints.quiet import no_progress_bar

__all__ = ["Checkpoint", "find_checkpoint", "no_progress_bar"]
