"""JSON whole or not at all, JSON lines that survive a kill, step records there and back."""

from __future__ import annotations

import json
import math
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from bifrons.records import (
    Gramian,
    StepRecord,
    TaskStep,
    Weights,
    read_json,
    read_lines,
    read_steps,
    step_to_line,
    write_json,
    write_text,
)


def task_step(name: str = "u0") -> TaskStep:
    return TaskStep(
        loss=math.log(2),
        margin=-0.1 - 1e-17,
        accuracy=0.5,
        chosen_log_ratio=1 / 3,
        rejected_log_ratio=-2e-300,
        num_tokens=36.0,
        records=(name, "é"),
    )


def step_record(step: int) -> StepRecord:
    return StepRecord(
        step=step,
        understanding=task_step(),
        generation=task_step("g0"),
        gramian=Gramian(1.5, -0.1, 196.0),
        layers=(Gramian(1.0, 0.1, 100.0), Gramian(0.5, -0.2, 96.0)),
        weights=Weights(1.9, 0.1),
        state={"understanding": [1.0, 2.5], "held": True, "count": 3},
        norm_before_clip=14.25,
        learning_rate=5e-6,
        seconds=0.125,
    )


def test_json_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "value.json"
    value = {"b": [1, 2.5, None, True], "a": {"text": "é\n"}}
    write_json(path, value)
    assert read_json(path) == value
    assert [file.name for file in path.parent.iterdir()] == ["value.json"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_value_that_json_does_not_know_leaves_the_file_alone(value: float, tmp_path: Path) -> None:
    path = tmp_path / "value.json"
    write_json(path, {"kept": 1})
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(path, {"deep": [{"value": value}]})
    assert read_json(path) == {"kept": 1}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("moment", ["write_text", "replace"])
def test_a_kill_while_writing_leaves_the_old_file_whole(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the process dies in the middle of the temporary file or just before the rename."""
    path = tmp_path / "value.json"
    write_text(path, "old")

    def dies(self: Path, *arguments: Any, **settings: Any) -> None:
        if moment == "write_text":
            self.write_bytes(b"ne")
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, moment, dies)
    with pytest.raises(KeyboardInterrupt):
        write_text(path, "new")
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("content", [None, b"", b"{'a': 1}", b'{"a": 1', b"\xff\xfe\x00"])
def test_a_file_that_is_missing_or_no_json_is_named(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "value.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match="no such file" if content is None else "not JSON") as caught:
        read_json(path)
    assert str(caught.value).startswith(str(path))


def test_step_record_round_trip(tmp_path: Path) -> None:
    """Equal to the last bit, and of the same types: tuples, records and plain state."""
    path = tmp_path / "steps.jsonl"
    single = StepRecord(
        step=1,
        understanding=None,
        generation=task_step(),
        gramian=None,
        layers=(),
        weights=Weights(1.0, 1.0, "degenerate"),
    )
    records = [step_record(0), single]
    path.write_text("".join(step_to_line(record) + "\n" for record in records))
    again = read_steps(path)
    assert again == records
    assert [repr(record) for record in again] == [repr(record) for record in records]


@given(
    some.tuples(*[some.floats(allow_nan=False)] * 7),
    some.lists(some.text(), max_size=3),
    some.text(),
    some.dictionaries(some.text(), some.booleans() | some.integers() | some.lists(some.floats(allow_nan=False))),
)
def test_any_step_record_is_one_line(
    numbers: tuple[float, ...], names: list[str], flag: str, state: dict[str, Any]
) -> None:
    """Whatever it holds, line ends in texts and infinite norms included, for a step that failed has to be seen."""
    from bifrons.records.files import step_from_dict

    record = StepRecord(
        step=3,
        understanding=TaskStep(
            **dict(zip([f.name for f in fields(TaskStep)], [*numbers[:6], tuple(names), numbers[6]], strict=True))
        ),
        generation=None,
        gramian=Gramian(*numbers[:3]),
        layers=(Gramian(*numbers[3:6]),),
        weights=Weights(*numbers[:2], flag),
        state=state,
    )
    line = step_to_line(record)
    assert "\n" not in line
    assert step_from_dict(json.loads(line)) == record


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_steps_cut_by_a_kill(share: float, tmp_path: Path) -> None:
    """The last line is half written: the steps before it are all there, and it is not."""
    path = tmp_path / "steps.jsonl"
    lines = [step_to_line(step_record(step)) + "\n" for step in range(4)]
    path.write_text("".join(lines[:3]) + lines[3][: max(1, int(share * len(lines[3])))])
    assert read_steps(path) == [step_record(step) for step in range(3)]


def test_steps_cut_at_every_byte(tmp_path: Path) -> None:
    """At no length is the file unreadable, and no step is lost whose line is complete."""
    path = tmp_path / "lines.jsonl"
    whole = b'{"step": 0}\n{"step": 1, "text": "\\u00e9"}\n{"step": 2}\n'
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        complete = whole[:length].count(b"\n") + (whole[length : length + 1] == b"\n")
        assert [line["step"] for line in read_lines(path)] == list(range(complete))


def test_a_bad_line_that_no_kill_explains_is_named(tmp_path: Path) -> None:
    path = tmp_path / "steps.jsonl"
    path.write_text('{"step": 0}\n{"step": 1, "lo\n{"step": 2}\n')
    with pytest.raises(ValueError, match="line 2: not JSON") as caught:
        list(read_lines(path))
    assert str(caught.value).startswith(str(path))
    path.write_text('{"step": 0}\n{"step": 1, "lo\n')  # the line was ended, so it was not cut
    with pytest.raises(ValueError, match="line 2: not JSON"):
        list(read_lines(path))
