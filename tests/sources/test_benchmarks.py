"""Benchmarks by name: which files each needs, and how many examples of them there are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bifrons.sources import Benchmark
from photographs import photograph


def write_vqa(folder: Path) -> dict[str, Path]:
    """Three images of two questions each; the third image is not in the folder."""
    (folder / "val").mkdir()
    for image in (1, 2):
        (folder / "val" / f"COCO_val2014_{image:012}.jpg").write_bytes(photograph(image))
    asked = [
        {"image_id": image, "question_id": 10 * image + k, "question": text}
        for image in (1, 2, 3)
        for k, text in enumerate(("What is it?", "What is it?"))
    ]
    answers = [{"answer": "dog"}] * 10
    answered = [{"question_id": row["question_id"], "answer_type": "other", "answers": answers} for row in asked]
    (folder / "questions.json").write_text(json.dumps({"data_subtype": "val2014", "questions": asked}))
    (folder / "annotations.json").write_text(json.dumps({"annotations": answered}))
    return {"annotations": folder / "annotations.json", "images": folder / "val"}


def test_every_question_of_vqav2_is_an_example(tmp_path: Path) -> None:
    """Also two of one wording; `count` counts questions, and an image that no question of them is about is not read."""
    given = write_vqa(tmp_path)
    benchmark = Benchmark(benchmark="vqav2", questions=str(tmp_path / "questions.json"), **given)
    found = benchmark.examples(3)
    assert [example.id for example in found] == ["vqa-1-0", "vqa-1-1", "vqa-2"]
    assert all(len(example.questions) == 1 and example.questions[0].answers == ("dog",) * 10 for example in found)
    assert len(benchmark.examples(4)) == 4
    with pytest.raises(ValueError, match="000000000003"):
        benchmark.examples(5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"benchmark": "pope"}, "the source pope needs file"),
        ({"benchmark": "vqav2"}, "the source vqav2 needs questions"),
        ({"benchmark": "vqav2", "questions": "q", "file": "f"}, "the source vqav2 has no file"),
        ({"benchmark": "geneval", "file": "f", "images": Path("i")}, "the source geneval has no images"),
        ({"benchmark": "dsg", "file": "f", "questions": "q"}, "the source dsg has no questions"),
    ],
)
def test_a_missing_and_a_foreign_setting_are_named(given: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Benchmark(**given)  # type: ignore[arg-type]
