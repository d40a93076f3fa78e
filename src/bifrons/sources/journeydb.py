"""Examples in JourneyDB's layout (Sun et al. 2023), as released and as HermesFlow's own list of inputs has it.

Released: JSON lines with `img_path`, `prompt`, a caption under `Task2` and multiple-choice questions under `Task3`.
HermesFlow: `id`, `img_path`, `prompt`, `caption`, and TIFA-format questions in a file of their own, joined by id.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bifrons.sources.example import Example, Question
from bifrons.sources.loose_json import loose_rows
from bifrons.sources.rows import picture

CAPTIONED, ASKED = "Task2", "Task3"


def journeydb_examples(
    annotations: Path, images: Path, count: int | None = None, *, questions: Path | None = None
) -> list[Example]:
    """The first `count` records; one whose image is missing has empty bytes, so that curation can count it.

    Records without a caption are left out. Raises ValueError that names file and record for a bad layout and for an id
    that occurs twice.
    """
    asked = {} if questions is None else tifa_questions(questions)
    made: list[Example] = []
    seen: set[str] = set()
    for number, row in enumerate(loose_rows(annotations), start=1):
        if count is not None and len(made) == count:
            break
        where = f"{annotations}, record {number}"
        path = row.get("img_path")
        if not isinstance(path, str) or not path:
            raise ValueError(f"{where}: has no 'img_path'")
        name = str(row.get("id") if row.get("id") is not None else path)
        if name in seen:
            raise ValueError(f"{where}: the id {name!r} occurs twice")
        seen.add(name)
        caption = caption_of(row)
        if not caption:
            continue
        made.append(
            Example(
                id=name,
                image=image_of(path, images, where),
                captions=(caption,),
                questions=(*choices_of(row, where), *asked.get(name, ())),
                source="journeydb",
            )
        )
    return made


def caption_of(row: dict[str, Any]) -> str:
    task = row.get(CAPTIONED)
    found = row.get("caption") or (task.get("Caption") if isinstance(task, dict) else None)
    return found.strip() if isinstance(found, str) else ""


def image_of(path: str, images: Path, where: str) -> bytes:
    """The picture's bytes; empty where there is no such file. What is there has to be an image."""
    inside = path.removeprefix("./")
    return picture(inside, images, where) if (images / inside).is_file() else b""


def choices_of(row: dict[str, Any], where: str) -> list[Question]:
    """The multiple-choice questions of a released record; the answer's letter becomes its words."""
    task = row.get(ASKED)
    found: list[Question] = []
    for group, entries in task.items() if isinstance(task, dict) else ():
        for entry in entries if isinstance(entries, Sequence) and not isinstance(entries, str) else ():
            text, options, answer = (entry.get(key) for key in ("Question", "Options", "Answer"))
            if not (isinstance(text, str) and options and isinstance(answer, str)):
                raise ValueError(f"{where}: a question of {ASKED}.{group} lacks Question, Options or Answer")
            words = lettered(options)
            right = words.get(answer.strip()[:1].upper())
            if right is None:
                raise ValueError(f"{where}: the answer {answer!r} is none of the options {', '.join(words)}")
            found.append(Question(str(group).lower(), text.strip(), right, tuple(words.values())))
    return found


def lettered(options: Any) -> dict[str, str]:
    """Options by letter, from `{"A": "a dog"}` or `["A: a dog"]`."""
    if isinstance(options, dict):
        return {str(key).upper(): str(value).strip() for key, value in options.items()}
    found: dict[str, str] = {}
    for place, option in enumerate(options):
        letter, mark, words = str(option).partition(":")
        named = mark and len(letter.strip()) == 1
        found[letter.strip().upper() if named else chr(ord("A") + place)] = (words if named else str(option)).strip()
    return found


def tifa_questions(path: Path) -> dict[str, tuple[Question, ...]]:
    """Questions of a TIFA-format file (Hu et al. 2023) by id: `question`, `choices`, `answer`, `element_type`.

    Raises ValueError that names file and record for a missing field, and for an answer that is none of the choices.
    """
    found: dict[str, list[Question]] = {}
    for number, row in enumerate(loose_rows(path), start=1):
        where = f"{path}, record {number}"
        for key in ("id", "question", "answer"):
            if row.get(key) in (None, ""):
                raise ValueError(f"{where}: has no {key!r}")
        choices = tuple(str(choice) for choice in row.get("choices") or ())
        answer = str(row["answer"]).strip()
        if choices and answer.lower() not in [choice.strip().lower() for choice in choices]:
            raise ValueError(f"{where}: the answer {answer!r} is none of the choices {', '.join(choices)}")
        kind = str(row.get("element_type") or "question")
        found.setdefault(str(row["id"]), []).append(Question(kind, str(row["question"]), answer, choices))
    return {name: tuple(questions) for name, questions in found.items()}
