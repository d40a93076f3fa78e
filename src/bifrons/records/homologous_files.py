"""Homologous records as Parquet: one row a record, its samples and questions as nested lists."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyarrow is a C extension without type stubs: what comes out of it is unknown to the checker.

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bifrons.records.homologous import HomologousRecord, JudgeQuestion, Sample, refuse_twice


def write_homologous(path: Path, records: Sequence[HomologousRecord]) -> None:
    """Write records to Parquet, dropped ones too. Raises ValueError for none and for ids that occur twice."""
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    if not records:
        raise ValueError(f"{path}: there are no records to write")
    try:
        refuse_twice([record.id for record in records])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    whole = arrow.int64()
    text = arrow.string()
    sample = arrow.struct(
        [
            ("tokens", arrow.list_(whole)),
            ("text", text),
            ("score", arrow.float64()),
            ("scorer", text),
            ("seed", whole),
            ("round", whole),
        ]
    )
    asked = arrow.struct([("kind", text), ("text", text), ("answer", text), ("choices", arrow.list_(text))])
    places = [f"{side}_{face}" for face in ("caption", "drawing") for side in ("chosen", "rejected")]
    schema = arrow.schema(
        [
            ("id", text),
            ("image", arrow.binary()),
            ("caption", text),
            ("question", text),
            ("captions", arrow.list_(sample)),
            ("drawings", arrow.list_(sample)),
            *((name, whole) for name in places),
            ("questions", arrow.list_(asked)),
            ("round", whole),
            ("model", text),
            ("revision", text),
            ("dropped", text),
            ("details", text),
        ],
        metadata={"bifrons_records": "homologous", "bifrons_format": "1"},
    )
    rows = [asdict(record) for record in records]
    table = arrow.Table.from_pylist(
        [row | {"details": json.dumps(row["details"], sort_keys=True)} for row in rows], schema=schema
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    parquet.write_table(table, part)
    part.replace(path)


def read_homologous(path: Path) -> list[HomologousRecord]:
    """Records from a Parquet file, kept and dropped ones.

    Raises ValueError that names the file and the record for a missing file, another layout, a bad record, and an id
    that occurs twice.
    """
    import pyarrow.parquet as parquet

    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    try:
        table = parquet.read_table(path)
    except (ValueError, OSError) as error:
        raise ValueError(f"{path}: not a Parquet file ({str(error).splitlines()[0]})") from None
    missing = {"id", "image", "caption", "captions", "drawings"} - set(table.column_names)
    if missing:
        raise ValueError(f"{path}: holds no homologous records (no column {', '.join(sorted(missing))})")
    rows: list[dict[str, Any]] = table.to_pylist()
    records: list[HomologousRecord] = []
    for number, row in enumerate(rows):
        try:
            made: dict[str, Any] = row | {
                "captions": samples_of(row["captions"]),
                "drawings": samples_of(row["drawings"]),
                "questions": tuple(
                    JudgeQuestion(**(asked | {"choices": tuple(asked["choices"] or ())}))
                    for asked in row.get("questions") or ()
                ),
                "details": json.loads(row.get("details") or "{}"),
            }
            made |= {name: "" for name in ("caption", "question") if made.get(name) is None}
            made |= {"image": b""} if made["image"] is None else {}
            records.append(HomologousRecord(**made))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path}, record {number}: {error}") from None
    try:
        refuse_twice([record.id for record in records])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return records


def samples_of(values: Sequence[dict[str, Any]] | None) -> tuple[Sample, ...]:
    made: list[Sample] = []
    for value in values or ():
        fields: dict[str, Any] = value | {"tokens": tuple(value["tokens"])}
        made.append(Sample(**fields))
    return tuple(made)
