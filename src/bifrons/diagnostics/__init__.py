"""What the two gradients of a model look like before anything is trained."""

from bifrons.diagnostics.gradients import GradientDiagnosis, diagnose_gradients

__all__ = ["GradientDiagnosis", "diagnose_gradients"]
