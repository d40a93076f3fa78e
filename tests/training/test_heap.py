"""Freed heap is given back in a large process only, where the C library can."""

from __future__ import annotations

import sys

import pytest
import torch

from bifrons.training import heap


@pytest.mark.parametrize(
    ("size", "device", "calls"),
    [(heap.LARGE - 1, "cpu", []), (heap.LARGE + 1, "cpu", [0]), (heap.LARGE + 1, "cuda", [])],
)
def test_in_a_large_process_on_a_cpu_only(
    size: int, device: str, calls: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    monkeypatch.setattr(heap, "resident", lambda: size)
    monkeypatch.setattr(heap, "malloc_trim", lambda: made.append)
    heap.give_back_heap(torch.device(device))
    assert made == calls


def test_nothing_where_there_is_no_such_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap, "malloc_trim", lambda: None)
    monkeypatch.setattr(heap, "resident", lambda: pytest.fail("nobody needs to know"))
    heap.give_back_heap(torch.device("cpu"))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_is_resident_grows_with_what_is_held() -> None:
    before = heap.resident()
    held = bytearray(b"x" * 64 * 1024**2)
    assert heap.resident() - before > 32 * 1024**2
    del held
