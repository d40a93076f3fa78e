"""Examples from VQAv2: questions and annotations in the official layout with an image folder (Goyal et al. 2017)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bifrons.records.pictures import read_picture
from bifrons.sources.example import Example, Question
from bifrons.sources.rows import picture, read_object, read_rows, take, take_first, text


def vqa_examples(
    questions: str | Path,
    annotations: Path | None = None,
    images: Path | None = None,
    count: int | None = None,
    *,
    num_questions: int | None = None,
) -> list[Example]:
    """The first `count` images, each with its questions, their kind the type of answer, and the answers of ten people.

    With `num_questions` no more than so many, the first of the file, and no other image is read. Without annotations
    `questions` is a table or data set whose rows hold image, question and answers. Raises ValueError that names file
    and record.
    """
    if annotations is None:
        return table_examples(questions, images, count)
    asked, answered = Path(questions), read_annotations(annotations)
    found = read_object(asked, "questions")
    if images is None or not images.is_dir():
        raise ValueError(f"{images or 'no image folder'}: the images of {asked} lie in a folder, which has to be given")
    prefix = f"COCO_{found.get('data_subtype') or 'val2014'}_"
    grouped: dict[int, list[Question]] = {}
    seen: set[int] = set()
    taken = 0
    for number, row in enumerate(found["questions"], start=1):
        where = f"{asked}, question record {number}"
        if not isinstance(row, dict):
            raise ValueError(f"{where}: is of type {type(row).__name__}, not an object")
        image, ident = take(row, "image_id", int, where), take(row, "question_id", int, where)
        if ident in seen:
            raise ValueError(f"{asked}: the question id {ident} occurs twice")
        seen.add(ident)
        if ident not in answered:
            raise ValueError(f"{where}: {annotations} holds no answers to question {ident}")
        wanted = image in grouped or count is None or len(grouped) < count
        if wanted and (num_questions is None or taken < num_questions):
            kind, answers = answered[ident]
            grouped.setdefault(image, []).append(Question(kind, text(row, "question", where), answers=answers))
            taken += 1
    return [
        Example(
            id=f"vqa-{image}",
            image=read_picture(images, file_name(images, prefix, image), f"{asked}, image {image}"),
            captions=(),
            questions=tuple(some),
            source="vqav2",
        )
        for image, some in grouped.items()
    ]


def file_name(images: Path, prefix: str, image: int) -> str:
    """As COCO 2014 names it, or as 2017 does where only that is in the folder."""
    early, late = f"{prefix}{image:012}.jpg", f"{image:012}.jpg"
    return late if not (images / early).exists() and (images / late).exists() else early


def read_annotations(path: Path) -> dict[int, tuple[str, tuple[str, ...]]]:
    """Type of answer and the people's answers by question id."""
    made: dict[int, tuple[str, tuple[str, ...]]] = {}
    for number, row in enumerate(read_object(path, "annotations")["annotations"], start=1):
        where = f"{path}, annotation record {number}"
        if not isinstance(row, dict):
            raise ValueError(f"{where}: is of type {type(row).__name__}, not an object")
        ident = take(row, "question_id", int, where)
        if ident in made:
            raise ValueError(f"{path}: the question id {ident} occurs twice")
        made[ident] = str(row.get("answer_type") or "vqa"), people(take(row, "answers", list, where), where)
    return made


def people(answers: list[Any], where: str) -> tuple[str, ...]:
    """The answers as texts, from VQAv2's objects or from plain texts. Raises ValueError for none and for other
    things.
    """
    made = [answer.get("answer") if isinstance(answer, dict) else answer for answer in answers]
    if not made or not all(isinstance(answer, str) for answer in made):
        raise ValueError(f"{where}: 'answers' has to be a list of people's answers, and is {str(answers)[:60]}")
    return tuple(str(answer) for answer in made)


def table_examples(where: str | Path, images: Path | None, count: int | None) -> list[Example]:
    made: list[Example] = []
    rows = read_rows(where)
    for place, row in rows:
        if len(made) == count:
            break
        answers = people(take(row, "answers", list, place), place)
        question = Question(str(row.get("answer_type") or "vqa"), text(row, "question", place), answers=answers)
        ident = take_first(row, ("question_id", "id", "image_id"), int | str, place)  # type: ignore[type-var]
        data = picture(row.get("image"), images or rows.folder, place)
        made.append(Example(id=f"vqa-{ident}", image=data, captions=(), questions=(question,), source="vqav2"))
    return made
