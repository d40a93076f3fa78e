"""Janus and Janus-Pro: one Llama body, SigLIP eyes, a VQ hand (Chen et al. 2025)."""

from bifrons.models.janus.load import from_folder, from_network

OPTIONS: dict[str, type] = {}  # of `load`: its log-probabilities are exact, and guidance is a matter of `Sampling`

__all__ = ["OPTIONS", "from_folder", "from_network"]
