"""Janus and Janus-Pro: one Llama body, SigLIP eyes, a VQ hand (Chen et al. 2025)."""

from bifrons.models.janus.load import from_folder, from_network

__all__ = ["from_folder", "from_network"]
