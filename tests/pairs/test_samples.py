"""A build that is killed goes on: the same pairs as one that was never disturbed, and nothing sampled twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bifrons.pairs import model_against_model, real_against_generated, understanding_pairs
from bifrons.pairs.samples import Samples
from bifrons.protocol import Sampling
from bifrons.sources import scene_examples
from stand_in import ByVerifier, StandIn, one_object_less

EXAMPLES = scene_examples("pairs", 12, 0)
BUILDERS = {
    "understanding": lambda model, path: understanding_pairs(
        model, EXAMPLES, batch_size=4, min_margin=0.1, samples=path
    ),
    "real": lambda model, path: real_against_generated(model, EXAMPLES, ByVerifier(), batch_size=1, samples=path),
    "model": lambda model, path: model_against_model(model, EXAMPLES, ByVerifier(), batch_size=1, samples=path),
}


def say(question: str, temperature: float) -> str:
    return "a red circle on a white grey black background." if "detail" in question else "a thing."


class Killed(Exception):
    """What a kill is to the code that it hits."""


class Dying(StandIn):
    """Dies in the call after so many."""

    def __init__(self, after: int) -> None:
        super().__init__(say=say, spoil=one_object_less)
        self.after = after

    def answer(self, *arguments: Any, **named: Any) -> Any:
        self.live()
        return super().answer(*arguments, **named)

    def draw(self, *arguments: Any, **named: Any) -> Any:
        self.live()
        return super().draw(*arguments, **named)

    def live(self) -> None:
        if len(self.calls) == self.after:
            raise Killed


@pytest.mark.parametrize("kind", BUILDERS)
def test_a_killed_build_goes_on(kind: str, tmp_path: Path) -> None:
    """Killed in the third call, half a line left behind: the pairs are those of a whole build, and the two together
    make one chunk more than that.
    """
    build, path = BUILDERS[kind], tmp_path / "samples.jsonl"
    undisturbed = StandIn(say=say, spoil=one_object_less)
    wanted = build(undisturbed, None)
    with pytest.raises(Killed):
        build(Dying(2), path)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"key": "cut')
    second = StandIn(say=say, spoil=one_object_less)
    assert build(second, path) == wanted and wanted.pairs
    assert len(second.calls) == len(undisturbed.calls) - 2
    assert path.read_bytes().startswith(whole)
    third = StandIn(say=say, spoil=one_object_less)
    assert build(third, path) == wanted and not third.calls


def test_another_definition_is_sampled_anew(tmp_path: Path) -> None:
    """Seed, temperature, context and model are in the key; the same again is not sampled."""
    path = tmp_path / "samples.jsonl"

    def calls(prompts: list[str], sampling: Sampling, model: StandIn | None = None) -> int:
        made = model or StandIn()
        list(Samples(made, path, None).drawings(prompts, sampling))  # type: ignore[arg-type]
        return len(made.calls)

    prompts = ["a red circle at the top left", "a blue square at the top left"]
    assert calls(prompts, Sampling(seed=1)) == 1
    assert calls(prompts, Sampling(seed=1)) == 0
    assert calls(prompts, Sampling(seed=2)) == 1
    assert calls(prompts, Sampling(seed=1, temperature=0.5)) == 1
    assert calls(prompts[::-1], Sampling(seed=1)) == 1
    other = StandIn()
    other.identity = type(other.identity)(name="other", family="none", fingerprint="1")
    assert calls(prompts, Sampling(seed=1), other) == 1
    assert all(json.loads(line)["codes"] for line in path.read_text().splitlines())


def test_progress_counts_what_is_known_already(tmp_path: Path) -> None:
    """The stand-in reports nothing itself: what is reported are the items found in the file."""
    path, told = tmp_path / "samples.jsonl", []
    prompts = ["a red circle at the top left"] * 3
    for _ in range(2):
        list(Samples(StandIn(), path, told.append).drawings(prompts, Sampling()))  # type: ignore[arg-type]
    assert told == [3]
