"""Stored responses: nothing is sampled twice, nothing that was sampled is lost, and nothing stale is taken for true."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bifrons.evaluation import ResponseStore, adapter_fingerprint, evaluate, is_complete, respond
from bifrons.protocol import Answer, Drawing, Sampling
from bifrons.sources import scene_examples
from stand_in import StandIn

EXAMPLES = scene_examples("evaluation", 8, 0)


class Counting(StandIn):
    """Remembers what it was asked, with the noise of each item, and breaks down where it is told to."""

    def __init__(self, break_at: int | None = None, **rest: Any) -> None:
        super().__init__(**rest)
        self.asked: list[tuple[str, int]] = []
        self.break_at = break_at

    def note(self, items: Any, sampling: Sampling) -> None:
        if self.break_at is not None and len(self.asked) >= self.break_at:
            raise KeyboardInterrupt
        assert sampling.items is not None
        self.asked += zip(items, sampling.items, strict=True)

    def answer(self, images: Any, questions: Any, sampling: Sampling, report: Any = None) -> list[Answer]:
        self.note(questions, sampling)
        return super().answer(images, questions, sampling, report)

    def draw(self, prompts: Any, sampling: Sampling, report: Any = None) -> list[Drawing]:
        self.note(prompts, sampling)
        return super().draw(prompts, sampling, report)


def test_what_is_stored_comes_back_as_it_was(tmp_path: Path) -> None:
    """Text, tokens and pixels of a second store on the same folder equal those sampled, and no model is asked."""
    first = respond(StandIn(), EXAMPLES, store=ResponseStore(tmp_path, {"seed": 0}))  # type: ignore[arg-type]
    store = ResponseStore(tmp_path)
    assert is_complete(store, EXAMPLES)
    silent = Counting(break_at=0)
    again = respond(silent, EXAMPLES, store=store)  # type: ignore[arg-type]
    assert again.answers == first.answers and again.presence == first.presence
    assert [d.drawing.codes for d in again.drawings] == [d.drawing.codes for d in first.drawings]
    assert evaluate(again) == evaluate(first)
    assert (tmp_path / "about.json").read_text().strip() == '{\n "seed": 0\n}'


def test_a_broken_sampling_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """Parts that were written are not sampled again, and each item keeps its noise: undisturbed and resumed are
    equal.
    """
    whole = Counting()
    respond(whole, EXAMPLES, batch_size=1)  # type: ignore[arg-type]
    broken, after = Counting(break_at=16), Counting()
    with pytest.raises(KeyboardInterrupt):
        respond(broken, EXAMPLES, batch_size=1, store=ResponseStore(tmp_path))  # type: ignore[arg-type]
    respond(after, EXAMPLES, batch_size=1, store=ResponseStore(tmp_path))  # type: ignore[arg-type]
    assert len(broken.asked) == 16 and broken.asked + after.asked == whole.asked


def test_a_line_cut_by_a_kill_is_sampled_again(tmp_path: Path) -> None:
    respond(StandIn(), EXAMPLES, store=ResponseStore(tmp_path))  # type: ignore[arg-type]
    path = tmp_path / "drawings.jsonl"
    path.write_text(path.read_text()[:-5])
    store, after = ResponseStore(tmp_path), Counting()
    assert not is_complete(store, EXAMPLES) and is_complete(store, EXAMPLES, generation=False)
    respond(after, EXAMPLES, store=store)  # type: ignore[arg-type]
    assert [asked for asked, _ in after.asked] == [EXAMPLES[-1].prompt]


def test_more_examples_leave_the_first_as_they_are(tmp_path: Path) -> None:
    """Only the new items are sampled, with the noise that they would have had from the start."""
    some, more, whole = Counting(), Counting(), Counting()
    respond(some, EXAMPLES[:5], store=ResponseStore(tmp_path))  # type: ignore[arg-type]
    respond(more, EXAMPLES, store=ResponseStore(tmp_path))  # type: ignore[arg-type]
    respond(whole, EXAMPLES)  # type: ignore[arg-type]
    assert sorted(some.asked + more.asked) == sorted(whole.asked)


def test_another_image_under_the_same_id_is_asked_again(tmp_path: Path) -> None:
    """A response belongs to what the model was shown, not to a name."""
    respond(StandIn(), EXAMPLES, store=ResponseStore(tmp_path))  # type: ignore[arg-type]
    other = [replace(EXAMPLES[0], image=EXAMPLES[1].image), *EXAMPLES[1:]]
    asked = Counting()
    respond(asked, other, store=ResponseStore(tmp_path))  # type: ignore[arg-type]
    first = EXAMPLES[0]
    assert [q for q, _ in asked.asked] == [first.questions[0].text, *(q.text for q in first.presence)]


def test_two_items_of_one_id_are_refused() -> None:
    with pytest.raises(ValueError, match="occurs twice"):
        respond(StandIn(), [EXAMPLES[0], EXAMPLES[0]])  # type: ignore[arg-type]


def test_an_adapters_fingerprint_is_its_content(tmp_path: Path) -> None:
    """None has an empty one; another weight another; a folder without an adapter is refused by name."""
    assert adapter_fingerprint(None) == ""
    with pytest.raises(ValueError, match="holds no adapter"):
        adapter_fingerprint(tmp_path)
    (tmp_path / "adapter_config.json").write_text("{}")
    (tmp_path / "adapter_model.safetensors").write_bytes(b"a")
    before = adapter_fingerprint(tmp_path)
    (tmp_path / "adapter_model.safetensors").write_bytes(b"b")
    assert adapter_fingerprint(tmp_path) != before
