"""Sixteen questions over four images, greedy, against transformers' `generate` on the same batch."""

from __future__ import annotations

from benchmarks.baselines import generate
from benchmarks.heads import Lowered
from benchmarks.measure import Row, paired, speed_row
from benchmarks.subjects import DTYPES, SUBJECTS, asked, sampled
from bifrons.protocol import Sampling

QUESTIONS, IMAGES, LIMIT = 16, 4, 32
BAR = 2.0
REPEATS = {"organism": 25, "slice": 3, "1b": 5}


def run(quick: bool, device: str) -> list[Row]:
    """The cache of vision features is emptied before each of our calls: an image is new to both sides."""
    rows: list[Row] = []
    for name in sampled(quick, device):
        subject = SUBJECTS[name]
        model = subject.build(device)
        lowered = Lowered(model, DTYPES[subject.dtype])
        images, questions = asked(subject, QUESTIONS, IMAGES)
        sampling = Sampling(temperature=0.0, max_new_tokens=LIMIT, batch_size=QUESTIONS)

        def ours(model=model, images=images, questions=questions, sampling=sampling) -> list[tuple[int, ...]]:
            model.vision.forget()
            return [answer.tokens for answer in model.answer(images, questions, sampling)]

        def theirs(model=model, images=images, questions=questions, lowered=lowered) -> list[tuple[int, ...]]:
            with lowered:
                eos = model.prompts.eos_id
                return generate.answer(model.network, model.processor, images, questions, LIMIT, eos)

        same = sum(a == b for a, b in zip(ours(), theirs(), strict=True)) / QUESTIONS
        made = paired(theirs, ours, repeats=2 if quick else REPEATS[name.split()[0]], warm=False)
        rows.append(
            speed_row(
                made,
                benchmark="answering",
                subject=name,
                what=f"{QUESTIONS} questions over {IMAGES} images / generate",
                bar=BAR,
                details={"answers_agree": same, "new_tokens_at_most": LIMIT},
            )
        )
        del model, lowered
    return rows
