"""One file a source, all yielding one record."""

from bifrons.sources.benchmarks import Benchmark
from bifrons.sources.choose import Source
from bifrons.sources.coco import coco_examples
from bifrons.sources.dsg import dsg_examples
from bifrons.sources.example import Example, Question, Wanted, refuse_overlap
from bifrons.sources.geneval import geneval_examples
from bifrons.sources.pope import pope_examples, pope_questions
from bifrons.sources.scenes import scene_examples
from bifrons.sources.table import captioned_examples
from bifrons.sources.vqa_answers import normalise_answer, soft_accuracy
from bifrons.sources.vqav2 import vqa_examples

__all__ = [
    "Benchmark",
    "Example",
    "Question",
    "Source",
    "Wanted",
    "captioned_examples",
    "coco_examples",
    "dsg_examples",
    "geneval_examples",
    "normalise_answer",
    "pope_examples",
    "pope_questions",
    "refuse_overlap",
    "scene_examples",
    "soft_accuracy",
    "vqa_examples",
]
