"""Responses of a model, sampled a chunk at a time and kept in a side file, so that a build that was killed goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bifrons.pairs.built import Report
from bifrons.protocol import Answer, Drawing, Sampling, UnifiedModel
from bifrons.records import content_hash, read_lines, run_key

BATCHES_A_CHUNK = 4  # what a kill can cost


class Samples:
    """Samples answers and drawings. What the file at `path` holds under the same definition is not sampled again.

    A response's key hashes all that defines it: model, sampling, item and context. Chunks lie the same way whether or
    not some are known, so a build that goes on gives the bytes of one that was never disturbed. None keeps nothing.
    """

    def __init__(self, model: UnifiedModel, path: Path | None, report: Report | None) -> None:
        self.model = model
        self.path = path
        self.report = report
        self.known: dict[str, dict[str, Any]] = {}
        if path is not None and path.is_file():
            cut_to_lines(path)
            self.known = {line["key"]: line for line in read_lines(path)}

    def answers(
        self, images: Sequence[bytes], questions: Sequence[str], sampling: Sampling
    ) -> Iterator[tuple[range, list[Answer]]]:
        """The answers chunk by chunk, each with the indices of its items."""
        hashes = {image: content_hash(image) for image in set(images)}
        contexts = [[hashes[image], question] for image, question in zip(images, questions, strict=True)]

        def sample(chunk: range, own: Sampling) -> list[dict[str, Any]]:
            made = self.model.answer([images[i] for i in chunk], [questions[i] for i in chunk], own, report=self.report)
            return [{"text": a.text, "tokens": list(a.tokens), "finished": a.finished} for a in made]

        for chunk, lines in self.chunks("answer", contexts, sampling, sample):
            yield chunk, [Answer(line["text"], tuple(line["tokens"]), line["finished"]) for line in lines]

    def drawings(self, prompts: Sequence[str], sampling: Sampling) -> Iterator[tuple[range, list[Drawing]]]:
        """The drawings chunk by chunk, each with the indices of its items; pixels are decoded from the codes."""
        fresh: dict[int, Drawing] = {}

        def sample(chunk: range, own: Sampling) -> list[dict[str, Any]]:
            made = self.model.draw([prompts[i] for i in chunk], own, report=self.report)
            fresh.update(zip(chunk, made, strict=True))
            return [{"codes": list(drawing.codes)} for drawing in made]

        for chunk, lines in self.chunks("draw", [[prompt] for prompt in prompts], sampling, sample):
            if fresh:
                yield chunk, [fresh.pop(i) for i in chunk]
            else:
                codes = [tuple(line["codes"]) for line in lines]
                yield chunk, [Drawing(c, p) for c, p in zip(codes, self.model.decode(codes), strict=True)]

    def chunks(
        self,
        task: str,
        contexts: Sequence[Sequence[str]],
        sampling: Sampling,
        sample: Callable[[range, Sampling], list[dict[str, Any]]],
    ) -> Iterator[tuple[range, list[dict[str, Any]]]]:
        shared = {
            "task": task,
            **self.model.identity.samples_by,
            "temperature": sampling.temperature,
            "guidance": sampling.guidance,
            "seed": sampling.seed,
            "max_new_tokens": sampling.max_new_tokens,
            "batch_size": sampling.batch_size,
        }
        size = BATCHES_A_CHUNK * sampling.batch_size
        for start in range(0, len(contexts), size):
            chunk = range(start, min(start + size, len(contexts)))
            keys = [run_key(shared | {"item": i, "chunk": len(chunk), "context": list(contexts[i])}) for i in chunk]
            if all(key in self.known for key in keys):
                if self.report is not None:
                    self.report(len(chunk))
                yield chunk, [self.known[key] for key in keys]
                continue
            made = sample(chunk, replace(sampling, items=tuple(chunk)))
            self.keep([{"key": key, **line} for key, line in zip(keys, made, strict=True)])
            yield chunk, made

    def keep(self, lines: list[dict[str, Any]]) -> None:
        if self.path is None:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write("".join(f"{json.dumps(line)}\n" for line in lines))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OSError(f"{self.path}: cannot be written ({error.strerror or error})") from None


def cut_to_lines(path: Path) -> None:
    """Cut off a last line that a kill left unfinished, so that the next one is not glued to it."""
    data = path.read_bytes()
    if data and not data.endswith(b"\n"):
        os.truncate(path, data.rfind(b"\n") + 1)
