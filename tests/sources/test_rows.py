"""The same rows from every kind of table, and tables of images and captions."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from bifrons.sources import Source, refuse_overlap
from bifrons.sources.rows import read_rows
from photographs import photograph

ROWS = [{"id": f"r{i}", "caption": f"a dog, number {i}", "file_name": f"{i}.jpg"} for i in range(12)]


def write_table(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8-sig") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    elif path.suffix == ".parquet":
        import pyarrow as arrow
        import pyarrow.parquet as parquet

        parquet.write_table(arrow.Table.from_pylist(rows), path)
    elif path.name == "list.json":
        path.write_text(json.dumps(rows))
    else:
        path.write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    return path


@pytest.mark.parametrize("name", ["a.jsonl", "lines.json", "list.json", "a.csv", "a.parquet"])
def test_every_kind_of_table_gives_the_same_rows(name: str, tmp_path: Path) -> None:
    rows = read_rows(write_table(tmp_path / name, ROWS))
    assert [row for _, row in rows] == ROWS
    assert [where for where, _ in rows][4].endswith(f"{name}, record 5")


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet"])
def test_images_and_captions_of_a_table(name: str, tmp_path: Path) -> None:
    """Images by file name beside the table; both sides, and no overlap."""
    for i in range(12):
        (tmp_path / f"{i}.jpg").write_bytes(photograph(i))
    source = Source(source="table", table=str(write_table(tmp_path / name, ROWS)))
    pairs, evaluation = source.examples("pairs", 3, 0), source.examples("evaluation", 3, 1)
    refuse_overlap({key: e.id for e in pairs for key in e.context_keys}, evaluation)
    for example in (*pairs, *evaluation):
        number = int(example.id.removeprefix("table-r"))
        assert example.image == photograph(number) and example.captions == (f"a dog, number {number}",)
        assert len(example.questions) == 5


def test_a_folder_that_datasets_can_load(tmp_path: Path) -> None:
    """A saved data set with pictures inside and several captions a row: the bytes come out as they went in."""
    datasets = pytest.importorskip("datasets")
    rows = [
        {"image": {"bytes": photograph(i), "path": None}, "captions": [f"dog {i}", f"hound {i}"]} for i in range(12)
    ]
    shape = datasets.Features({"image": datasets.Image(), "captions": datasets.List(datasets.Value("string"))})
    datasets.Dataset.from_list(rows, features=shape).save_to_disk(tmp_path / "saved")
    made = Source(source="table", table=str(tmp_path / "saved")).examples("pairs", 3, 0)
    for example in made:
        number = int(example.prompt.split()[1])
        assert example.image == photograph(number) and example.captions == (f"dog {number}", f"hound {number}")


def test_a_folder_of_parquet_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The layout of a data set on the hub, from disk; its cache goes elsewhere."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "set").mkdir()
    write_table(tmp_path / "set" / "train-00000-of-00001.parquet", ROWS)
    assert [row for _, row in read_rows(tmp_path / "set")] == ROWS


def test_a_data_set_that_cannot_be_had_is_one_line() -> None:
    """Offline, a name gives the library's reason in one line; a missing file is no name."""
    pytest.importorskip("datasets")
    with pytest.raises(ValueError, match="nobody/nothing: cannot be loaded as a data set") as refused:
        read_rows("nobody/nothing")
    assert "\n" not in str(refused.value)
    with pytest.raises(ValueError, match="images/captions.json: no such file"):
        read_rows("images/captions.json")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"a": 1}\n{"a": \n', "a.jsonl, line 2: not JSON"),
        ("a.json", b'[{"a": 1}', "a.json: not JSON"),
        ("a.json", b"[" * 100_000, "a.json: not JSON"),
        ("a.jsonl", b"", "holds no records"),
        ("a.jsonl", b"\xff\xfe{}", "not UTF-8 text"),
        ("a.jsonl", b"[1, 2]", "record 1: is of type int"),
        ("a.csv", b'a,b\n1,"2', r"a.csv, line \d: not CSV"),
        ("a.csv", b"a,b\n1\n", "record 1: has not as many fields"),
        ("a.csv", b"a,b\n1,2,3\n", "record 1: has not as many fields"),
        ("a.parquet", b"PAR1", "not a Parquet file"),
    ],
)
def test_a_broken_table_is_named(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        list(read_rows(tmp_path / name))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"source": "coco", "images": Path("x")}, "the source coco needs captions"),
        ({"source": "scenes", "images": Path("x")}, "the source scenes has no images"),
        ({"source": "table"}, "the source table needs table"),
        ({"source": "table", "table": "x", "instances": Path("x")}, "the source table has no instances"),
        ({"evaluation_share": 1.0}, "evaluation_share is 1.0"),
    ],
)
def test_settings_that_do_not_fit_are_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Source(**settings)
