"""One file a source, all yielding one record."""

from bifrons.sources.example import Example, Question, refuse_overlap
from bifrons.sources.scenes import scene_examples

__all__ = ["Example", "Question", "refuse_overlap", "scene_examples"]
