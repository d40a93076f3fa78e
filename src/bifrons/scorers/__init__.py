"""Tensors and text in, numbers out; used by curation and by evaluation."""

from bifrons.scorers.content import ContentScore, LengthConstants, content_score

__all__ = ["ContentScore", "LengthConstants", "content_score"]
