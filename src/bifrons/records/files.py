"""Records to files and back: JSON by temporary file and rename, JSON lines, pairs as Parquet."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyarrow is a C extension without type stubs: what comes out of it is unknown to the checker.

from __future__ import annotations

import json
import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bifrons.records.preference import GenerationPair, Pair, Provenance, UnderstandingPair
from bifrons.records.step import Gramian, StepRecord, TaskStep, Weights

COLUMN_TYPES = {"id": str, "image": bytes, "question": str, "chosen": str, "rejected": str, "prompt": str}


@contextmanager
def whole(path: Path) -> Generator[Path]:
    """A temporary path that takes the place of `path` when the block ends well, and is gone when it does not.

    Raises OSError that names the file when it cannot be written; what stood there before then stays.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        part.replace(path)
    except OSError as error:
        raise OSError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    with whole(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write JSON whole or not at all; NaN and infinity are refused with ValueError."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Raises ValueError that names the file when it is missing or is no JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not JSON ({error})") from None


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a JSON-lines file.

    A last line cut short by a kill is left out; any other bad line raises ValueError.
    """
    lines = path.read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        try:
            yield json.loads(line)
        except json.JSONDecodeError as error:
            if number == len(lines):
                return
            raise ValueError(f"{path}, line {number}: not JSON ({error.msg})") from None


def step_to_line(record: StepRecord) -> str:
    return json.dumps(asdict(record))


def step_from_dict(values: dict[str, Any]) -> StepRecord:
    def task(value: dict[str, Any] | None) -> TaskStep | None:
        if value is None:
            return None
        fields: dict[str, Any] = value | {"records": tuple(value["records"])}
        return TaskStep(**fields)

    fields: dict[str, Any] = values | {
        "understanding": task(values["understanding"]),
        "generation": task(values["generation"]),
        "gramian": None if values["gramian"] is None else Gramian(**values["gramian"]),
        "layers": tuple(Gramian(**layer) for layer in values["layers"]),
        "weights": Weights(**values["weights"]),
    }
    return StepRecord(**fields)


def read_steps(path: Path) -> list[StepRecord]:
    """The step records of a run, oldest first."""
    return [step_from_dict(values) for values in read_lines(path)]


def write_pairs(path: Path, pairs: Sequence[Pair]) -> None:
    """Write pairs of one task to Parquet. Raises ValueError for none, for mixed tasks and for ids that occur twice."""
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    if not pairs:
        raise ValueError(f"{path}: there are no pairs to write")
    if len({type(pair) for pair in pairs}) > 1:
        raise ValueError(f"{path}: pairs of both tasks in one file; write one file a task")
    refuse_duplicates(path, pairs)
    rows: list[dict[str, Any]] = []
    for pair in pairs:
        row = asdict(pair)
        provenance = row.pop("provenance")
        details = json.dumps(provenance.pop("details"), sort_keys=True)
        rows.append(row | {f"provenance_{k}": v for k, v in provenance.items()} | {"provenance_details": details})
    table = arrow.Table.from_pylist(rows)
    table = table.replace_schema_metadata({"bifrons_task": task_of(pairs[0]), "bifrons_format": "1"})
    with whole(path) as part:
        parquet.write_table(table, part)


def read_pairs(path: Path) -> list[UnderstandingPair] | list[GenerationPair]:
    """Pairs of one task from a Parquet file.

    Raises ValueError that names the file and the record for a missing file, an unknown layout or a bad pair.
    """
    import pyarrow.parquet as parquet

    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    try:
        table = parquet.read_table(path)
    except (ValueError, OSError) as error:
        raise ValueError(f"{path}: not a Parquet file ({str(error).splitlines()[0]})") from None
    columns = set(table.column_names)
    made = UnderstandingPair if "question" in columns else GenerationPair if "prompt" in columns else None
    if made is None:
        raise ValueError(
            f"{path}: neither understanding pairs (column 'question') nor generation pairs (column 'prompt')"
        )
    pairs: list[Any] = []
    rows: list[dict[str, Any]] = table.to_pylist()
    for number, row in enumerate(rows):
        provenance = {k.removeprefix("provenance_"): row.pop(k) for k in list(row) if k.startswith("provenance_")}
        try:
            provenance["details"] = json.loads(provenance.get("details") or "{}")
            fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}
            fields |= {k: "" for k in ("question", "chosen", "rejected", "prompt") if k in fields and fields[k] is None}
            fields |= {k: () for k in ("chosen_codes", "rejected_codes") if k in fields and fields[k] is None}
            for name, kind in COLUMN_TYPES.items():
                if name in fields and not isinstance(fields[name], kind):
                    raise ValueError(f"{name} is of type {type(fields[name]).__name__}, not {kind.__name__}")
            origin: dict[str, Any] = {"builder": "unknown", **provenance}
            pairs.append(made(**fields, provenance=Provenance(**origin)))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path}, record {number}: {error}") from None
    if not pairs:
        raise ValueError(f"{path}: holds no pairs")
    refuse_duplicates(path, pairs)
    return pairs


def refuse_duplicates(path: Path, pairs: Sequence[Pair]) -> None:
    seen: set[str] = set()
    for pair in pairs:
        if pair.id in seen:
            raise ValueError(f"{path}: the id {pair.id!r} occurs twice")
        seen.add(pair.id)


def task_of(pair: Pair) -> str:
    return "understanding" if isinstance(pair, UnderstandingPair) else "generation"
