"""Examples from a table of images and captions: a file, a folder, or a Hugging Face data set by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bifrons.sources.example import Example
from bifrons.sources.photo_questions import photo_questions
from bifrons.sources.rows import Row, picture, read_rows
from bifrons.sources.split import EVALUATION_SHARE, Draft, Side, select

IMAGE_COLUMNS = ("image", "file_name", "image_path", "jpg", "png")
CAPTION_COLUMNS = ("captions", "caption", "text", "prompt", "answer", "sentences", "txt")


def captioned_examples(
    where: str | Path,
    images: Path | None = None,
    *,
    side: Side,
    count: int,
    seed: int,
    evaluation_share: float = EVALUATION_SHARE,
) -> list[Example]:
    """`count` images of a side with their captions (one, or a list of them) and the study's five kinds of question.

    Raises ValueError that names source and record for what is broken, the images included.
    """
    rows = read_rows(where)

    def draft(number: int, place: str, row: Row) -> Draft:
        said = captions_of(row, place)

        def read() -> Example:
            shown = next((row[c] for c in IMAGE_COLUMNS if row.get(c) is not None), None)
            return Example(
                id=f"table-{row.get('id', number)}",
                image=picture(shown, images or rows.folder, place),
                captions=said,
                questions=photo_questions(number, None, (), seed),
                source=str(where),
            )

        return Draft(said[0], read)

    drafts = [draft(number, place, row) for number, (place, row) in enumerate(rows)]
    return select(str(where), drafts, side, count, seed, evaluation_share)


def captions_of(row: Row, where: str) -> tuple[str, ...]:
    found: Any = next((row[column] for column in CAPTION_COLUMNS if row.get(column) is not None), None)
    if found is None:
        raise ValueError(f"{where}: has no caption; one of the columns {', '.join(CAPTION_COLUMNS)} has to hold it")
    listed = found if isinstance(found, list) else [found]
    made = tuple(caption.strip() for caption in listed if isinstance(caption, str))
    if not made or len(made) < len(listed) or not all(made):
        raise ValueError(f"{where}: a caption has to be text that is not empty, and is {str(found)[:60]!r}")
    return made
