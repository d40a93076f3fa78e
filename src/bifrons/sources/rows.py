"""Rows of a table, wherever they lie: JSON, JSON lines, CSV, Parquet, or a Hugging Face data set by name or folder."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from bifrons.records.pictures import read_picture, to_image

T = TypeVar("T")
Row = dict[str, Any]
DATASET = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*(:[\w.-]+)?(@[\w.\[\]:%+-]+)?")  # owner/name:configuration@split
SUFFIXES = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")


class Rows:
    """Rows of one table, each with the name that an error should begin with. `folder` is where its images may lie."""

    def __init__(self, name: str, rows: list[Row], folder: Path | None = None) -> None:
        self.name = name
        self.rows = rows
        self.folder = folder

    def __iter__(self) -> Iterator[tuple[str, Row]]:
        for number, row in enumerate(self.rows, start=1):
            where = f"{self.name}, record {number}"
            if not isinstance(row, dict):
                raise ValueError(f"{where}: is of type {type(row).__name__}, not a table of named values")
            yield where, row

    def __len__(self) -> int:
        return len(self.rows)


def read_rows(where: str | Path) -> Rows:
    """All rows of a file (its ending is only a hint between text and Parquet), of a folder that `datasets` can load, or
    of a data set named `owner/name`, `owner/name:configuration` or `owner/name@split`.

    Raises ValueError that names the file for what is missing, empty or no table.
    """
    path = Path(where)
    if path.is_dir():
        return dataset_rows(str(where), folder=path)
    if path.is_file():
        read = {".csv": csv_rows, ".tsv": csv_rows, ".parquet": parquet_rows}.get(path.suffix.lower(), json_rows)
        rows = read(path)
        if not rows:
            raise ValueError(f"{path}: holds no records")
        return Rows(str(path), rows, path.parent)
    if DATASET.fullmatch(str(where)) and path.suffix.lower() not in SUFFIXES:
        return dataset_rows(str(where), folder=None)
    raise ValueError(f"{where}: no such file")


def text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from None


def read_object(path: Path, *keys: str) -> Row:
    """A JSON file that is one object and holds a list under each key. Raises ValueError that names the file."""
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    try:
        found = json.loads(text_of(path))
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{path}: not JSON ({error})") from None
    if not isinstance(found, dict):
        raise ValueError(f"{path}: is a JSON {type(found).__name__}, not an object with {', '.join(keys)}")
    for key in keys:
        if not isinstance(found.get(key), list):
            raise ValueError(f"{path}: has no list {key!r}")
    return found


def json_rows(path: Path) -> list[Row]:
    """A JSON list, or one JSON object a line whatever the file's ending."""
    text = text_of(path)
    if text.lstrip().startswith("["):
        try:
            return json.loads(text)
        except (json.JSONDecodeError, RecursionError) as error:
            raise ValueError(f"{path}: not JSON ({error})") from None
    rows: list[Row] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            rows.append(json.loads(line))
        except (json.JSONDecodeError, RecursionError) as error:
            raise ValueError(f"{path}, line {number}: not JSON ({getattr(error, 'msg', error)})") from None
    return rows


def csv_rows(path: Path) -> list[Row]:
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    reader = csv.DictReader(text_of(path).splitlines(keepends=True), delimiter=delimiter, strict=True)
    try:
        rows: list[Row] = list(reader)
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: not CSV ({error})") from None
    for number, row in enumerate(rows, start=1):
        if None in row or None in row.values():
            raise ValueError(f"{path}, record {number}: has not as many fields as the header has names")
    return rows


def parquet_rows(path: Path) -> list[Row]:
    import pyarrow.parquet as parquet

    try:
        return parquet.read_table(path).to_pylist()
    except (ValueError, OSError) as error:
        raise ValueError(f"{path}: not a Parquet file ({str(error).splitlines()[0]})") from None


def dataset_rows(where: str, folder: Path | None) -> Rows:
    """Rows by the `datasets` library; images stay encoded. No code of the data set is run."""
    try:
        import datasets
        import datasets.config
    except ImportError:
        raise ValueError(f"{where}: data sets by name or folder need `pip install bifrons[data]`") from None
    name, _, split = where.partition("@") if folder is None else (where, "", "")
    name, _, configuration = name.partition(":") if folder is None else (name, "", "")
    shown = datasets.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        if folder is not None and ((folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file()):
            loaded: Any = datasets.load_from_disk(name)
        else:
            loaded = datasets.load_dataset(name, configuration or None, split=split or None)
        if hasattr(loaded, "keys"):  # several splits
            if len(loaded) > 1:
                raise ValueError(f"it has the splits {', '.join(map(str, loaded))}; name one: {where}@split")
            loaded = next(iter(loaded.values()))
        for column, feature in loaded.features.items():
            if isinstance(feature, datasets.Image):
                loaded = loaded.cast_column(column, datasets.Image(decode=False))
            elif isinstance(getattr(feature, "feature", None), datasets.Image):
                loaded = loaded.cast_column(column, datasets.List(datasets.Image(decode=False)))
        rows = loaded.to_list()
    except Exception as error:  # the library raises whatever its readers do
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ValueError(f"{where}: cannot be loaded as a data set ({reason[0]})") from None
    finally:
        if shown:
            datasets.enable_progress_bars()
    if not rows:
        raise ValueError(f"{where}: holds no records")
    return Rows(where, rows, folder if folder is not None else Path(datasets.config.HF_CACHE_HOME))


def take(row: Row, key: str, kind: type[T], where: str) -> T:
    """A field of a row. Raises ValueError that begins with `where` when it is missing or of another type."""
    if key not in row:
        raise ValueError(f"{where}: has no {key!r}")
    value = row[key]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"{where}: {key!r} is of type {type(value).__name__}, not {kind.__name__}")
    return value


def take_first(row: Row, keys: tuple[str, ...], kind: type[T], where: str) -> T:
    """The first of several names that a row has."""
    for key in keys:
        if row.get(key) is not None:
            return take(row, key, kind, where)
    raise ValueError(f"{where}: has none of {', '.join(map(repr, keys))}")


def text(row: Row, key: str, where: str) -> str:
    """A field that is text and not empty."""
    value = take(row, key, str, where).strip()
    if not value:
        raise ValueError(f"{where}: {key!r} is empty")
    return value


def picture(value: Any, folder: Path | None, where: str) -> bytes:
    """The bytes of an image given as bytes, as a file name inside the folder, or as `datasets` gives it.

    Decoded once to see that they are an image. Raises ValueError that begins with `where`.
    """
    if isinstance(value, dict):
        value = value.get("bytes") or value.get("path")
    if isinstance(value, str):
        if folder is None:
            raise ValueError(f"{where}: the image is a file name, and no image folder is given")
        inside = Path(value)
        if inside.is_relative_to(folder.absolute()):
            inside = inside.relative_to(folder.absolute())
        return read_picture(folder, str(inside), where)
    if not isinstance(value, bytes):
        raise ValueError(f"{where}: the image is of type {type(value).__name__}, not bytes or a file name")
    to_image(value, name=where)
    return value
