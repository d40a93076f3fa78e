"""Examples from COCO: captions and instances JSON with an image folder (Lin et al. 2014; Chen et al. 2015)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bifrons.records.pictures import read_picture
from bifrons.sources.example import Example
from bifrons.sources.photo_questions import Box, photo_questions
from bifrons.sources.pope import SAMPLINGS, pope_questions
from bifrons.sources.rows import read_object, take, text
from bifrons.sources.split import EVALUATION_SHARE, Draft, Side, select


@dataclass(slots=True)
class Photo:
    """One image of the files. `boxes` is None where the instances file does not know the image."""

    id: int
    file_name: str
    captions: list[tuple[int, str]] = field(default_factory=list)
    boxes: list[Box] | None = None


def coco_examples(
    captions: Path,
    images: Path,
    instances: Path | None = None,
    *,
    side: Side,
    count: int,
    seed: int,
    evaluation_share: float = EVALUATION_SHARE,
) -> list[Example]:
    """`count` photographs of a side, each with its captions and a question of every kind of the study.

    Where the instances file knows an image, its questions have known answers, and it has POPE's questions of presence,
    a pair of each sampling. Raises ValueError that names file and record for what is broken in any of the files, the
    images included.
    """
    photos = read_captions(captions)
    if not images.is_dir():
        raise ValueError(f"{images}: no such image folder")
    names = read_instances(instances, photos) if instances is not None else ()
    known = {photo.id: {box.name for box in photo.boxes} for photo in photos.values() if photo.boxes}
    presence = pope_questions(known, per_image=2, seed=seed, samplings=SAMPLINGS) if known else {}

    def draft(photo: Photo) -> Draft:
        said = tuple(caption for _, caption in sorted(photo.captions))

        def read() -> Example:
            return Example(
                id=f"coco-{photo.id}",
                image=read_picture(images, photo.file_name, f"{captions}, image {photo.id}"),
                captions=said,
                questions=photo_questions(photo.id, photo.boxes, names, seed),
                presence=presence.get(photo.id, ()),
                source="coco",
            )

        return Draft(said[0], read)

    drafts = [draft(photo) for _, photo in sorted(photos.items()) if photo.captions]
    return select(str(captions), drafts, side, count, seed, evaluation_share)


def read_captions(path: Path) -> dict[int, Photo]:
    """The photographs of a captions file by their id; further top-level keys are passed over."""
    found = read_object(path, "images", "annotations")
    photos: dict[int, Photo] = {}
    for number, row in enumerate(found["images"], start=1):
        where = f"{path}, image record {number}"
        photo = Photo(take(mapping(row, where), "id", int, where), text(row, "file_name", where))
        if photo.id in photos:
            raise ValueError(f"{path}: the image id {photo.id} occurs twice")
        photos[photo.id] = photo
    seen: set[int] = set()
    for number, row in enumerate(found["annotations"], start=1):
        where = f"{path}, annotation record {number}"
        ident, image = (take(mapping(row, where), key, int, where) for key in ("id", "image_id"))
        if ident in seen:
            raise ValueError(f"{path}: the annotation id {ident} occurs twice")
        seen.add(ident)
        if image not in photos:
            raise ValueError(f"{where}: there is no image {image}")
        photos[image].captions.append((ident, text(row, "caption", where)))
    if not seen:
        raise ValueError(f"{path}: holds no captions")
    return photos


def read_instances(path: Path, photos: dict[int, Photo]) -> tuple[str, ...]:
    """Put the boxes of an instances file to the photographs that it knows; the names of all its categories."""
    found = read_object(path, "images", "annotations", "categories")
    names: dict[int, str] = {}
    for number, row in enumerate(found["categories"], start=1):
        where = f"{path}, category record {number}"
        names[take(mapping(row, where), "id", int, where)] = text(row, "name", where)
    known: set[int] = set()
    for number, row in enumerate(found["images"], start=1):
        where = f"{path}, image record {number}"
        known.add(take(mapping(row, where), "id", int, where))
    for image in known & photos.keys():
        photos[image].boxes = []
    for number, row in enumerate(found["annotations"], start=1):
        where = f"{path}, annotation record {number}"
        image, category = (take(mapping(row, where), key, int, where) for key in ("image_id", "category_id"))
        if image not in known:
            raise ValueError(f"{where}: there is no image {image}")
        if category not in names:
            raise ValueError(f"{where}: there is no category {category}")
        corner = numbers(take(row, "bbox", list, where), where)
        if image in photos:
            boxes = photos[image].boxes
            assert boxes is not None
            boxes.append(Box(names[category], *corner, crowd=row.get("iscrowd") == 1))
    return tuple(sorted(names.values()))


def mapping(row: Any, where: str) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise ValueError(f"{where}: is of type {type(row).__name__}, not an object")
    return row


def numbers(values: Sequence[Any], where: str) -> tuple[float, float, float, float]:
    good = len(values) == 4 and all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    if not good or not all(abs(v) < 1e9 for v in values) or values[2] < 0 or values[3] < 0:
        raise ValueError(f"{where}: 'bbox' has to be left, top, width and height, and is {str(list(values))[:60]}")
    left, top, width, height = map(float, values)
    return left, top, width, height
