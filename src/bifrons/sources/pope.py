"""POPE: yes/no questions of presence, from its files and made from the objects of images (Li et al. 2023, section 5).

Negatives are drawn in three ways: `random` among the absent objects; `popular`, the absent ones that most images hold;
`adversarial`, the absent ones that stand most often beside the objects of this image.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Literal

import numpy as np

from bifrons.records.pictures import picture_path
from bifrons.sources.example import Example, Question
from bifrons.sources.rows import picture, read_rows, take_first, text

Sampling = Literal["random", "popular", "adversarial"]
SAMPLINGS: tuple[Sampling, ...] = ("random", "popular", "adversarial")
PER_IMAGE = 6  # half of them with the answer yes


def pope_questions(
    objects: Mapping[int, Set[str]],
    *,
    samplings: Sequence[Sampling] = ("random",),
    per_image: int = PER_IMAGE,
    seed: int = 0,
) -> dict[int, tuple[Question, ...]]:
    """For each image and sampling `per_image` questions, yes and no in turn; an image with fewer than half as many
    objects has as many of either as it has objects. No object is asked for twice in one image.

    A function of the objects and the seed, image by image. Raises ValueError for an odd `per_image`.
    """
    if per_image < 2 or per_image % 2:
        raise ValueError(f"per_image is {per_image}; it has to be even, for as many yes as no")
    frequency = Counter(name for held in objects.values() for name in held)
    beside: dict[str, Counter[str]] = {name: Counter() for name in frequency}
    for held in objects.values():
        for name in held:
            beside[name].update(held - {name})
    made: dict[int, tuple[Question, ...]] = {}
    for image, held in objects.items():
        asked: set[str] = set()
        questions: list[Question] = []
        for sampling in samplings:
            rng = np.random.default_rng([seed, image, zlib.crc32(sampling.encode())])
            present = shuffled(sorted(held - asked), rng)
            absent = shuffled(sorted(frequency.keys() - held - asked), rng)  # ties of the rankings fall at random
            if sampling == "popular":
                absent.sort(key=lambda name: -frequency[name])
            elif sampling == "adversarial":
                near = sum((beside[name] for name in sorted(held)), Counter[str]())
                absent.sort(key=lambda name: -near[name])
            count = min(per_image // 2, len(present), len(absent))
            for yes, no in zip(present[:count], absent[:count], strict=True):
                questions += [presence(yes, "yes.", sampling), presence(no, "no.", sampling)]
            asked |= {*present[:count], *absent[:count]}
        made[image] = tuple(questions)
    return made


def presence(name: str, answer: str, sampling: str) -> Question:
    article = "an" if name[0] in "aeiou" else "a"
    return Question(f"presence_{sampling}", f"Is there {article} {name} in the image?", answer)


def shuffled(names: list[str], rng: np.random.Generator) -> list[str]:
    return [names[int(i)] for i in rng.permutation(len(names))]


def pope_examples(where: str | Path, images: Path | None = None, count: int | None = None) -> list[Example]:
    """The first `count` images of a POPE file (JSON lines whatever its ending) or data set, each with its questions.

    Images come from the rows themselves or from the folder, where a val2014 name also finds the same image under its
    2017 name. Raises ValueError that names file and record.
    """
    rows = read_rows(where)
    grouped: dict[str, list[Question]] = {}
    first: dict[str, tuple[str, object]] = {}
    for place, row in rows:
        asked = text({"text": take_first(row, ("text", "question"), str, place)}, "text", place)
        label = take_first(row, ("label", "answer"), str, place).strip().lower()
        if label not in ("yes", "no"):
            raise ValueError(f"{place}: the label has to be yes or no, and is {label[:40]!r}")
        shown = row.get("image")
        name = str(row.get("image_source") or (shown if isinstance(shown, str) else ""))
        if not name:
            raise ValueError(f"{place}: has no image name ('image' or 'image_source')")
        if name not in grouped and count is not None and len(grouped) == count:
            continue
        first.setdefault(name, (place, shown))
        grouped.setdefault(name, []).append(Question(f"presence_{row.get('category') or 'file'}", asked, f"{label}."))
    folder = images or rows.folder
    return [
        Example(
            id=f"pope-{Path(name).stem}",
            image=picture(file_in(folder, shown), folder, f"{place}"),
            captions=(),
            presence=tuple(grouped[name]),
            source="pope",
        )
        for name, (place, shown) in first.items()
    ]


def file_in(folder: Path | None, shown: object) -> object:
    """A COCO 2014 file name, or its 2017 form where only that is in the folder."""
    if folder is None or not isinstance(shown, str):
        return shown
    plain = shown.rpartition("_")[2]
    try:
        picture_path(folder, shown, "")
    except ValueError:
        return plain if plain != shown and (folder / plain).is_file() else shown
    return shown
