"""A procedural world: draws seeded scenes, captions them, asks questions about them, reads a drawing back exactly."""

from bifrons.scenes.language import (
    DETAILED_WORDING,
    QUESTION_KINDS,
    SHORT_WORDING,
    Question,
    QuestionKind,
    captions,
    grade,
    presence_question,
    question,
)
from bifrons.scenes.prompts import PROMPT_KINDS, PromptKind, draw_prompt
from bifrons.scenes.reader import Reading, read, read_many
from bifrons.scenes.request import Item, Request, Verdict, request, verify
from bifrons.scenes.world import IMAGE_SIZE, Object, Scene, Split, draw_scene, render

__all__ = [
    "DETAILED_WORDING",
    "IMAGE_SIZE",
    "PROMPT_KINDS",
    "QUESTION_KINDS",
    "SHORT_WORDING",
    "Item",
    "Object",
    "PromptKind",
    "Question",
    "QuestionKind",
    "Reading",
    "Request",
    "Scene",
    "Split",
    "Verdict",
    "captions",
    "draw_prompt",
    "draw_scene",
    "grade",
    "presence_question",
    "question",
    "read",
    "read_many",
    "render",
    "request",
    "verify",
]
