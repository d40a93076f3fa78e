"""Drawing codes, greedy, under Janus's guidance of 5, against transformers' `generate` and the growing-cache loop."""

from __future__ import annotations

import torch

from benchmarks.arithmetic import Shapes
from benchmarks.baselines import generate, growing_cache
from benchmarks.heads import Lowered
from benchmarks.machine import limits
from benchmarks.measure import Row, paired, speed_row
from benchmarks.subjects import DTYPES, SUBJECTS, prompts, sampled
from bifrons.models.janus.model import JanusModel
from bifrons.protocol import Sampling

GUIDANCE = 5.0
BARS = {("organism", 1): 2.5, ("organism", 16): 2.5, ("slice", 1): 1.0, ("slice", 16): 1.3, ("1b", 16): 3.0}
SIZES = {False: (1, 16), True: (1, 2)}
REPEATS = {"organism": 15, "slice": 2, "1b": 4}


def run(quick: bool, device: str) -> list[Row]:
    rows: list[Row] = []
    rate = limits(device)
    for name in sampled(quick, device):
        subject = SUBJECTS[name]
        model = subject.build(device)
        lowered = Lowered(model, DTYPES[subject.dtype])
        for images in SIZES[quick]:
            rows += lines(name, model, lowered, prompts(subject, images), rate, quick)
        del model, lowered
    return rows


def lines(
    name: str, model: JanusModel, lowered: Lowered, texts: list[str], rate: dict[str, float], quick: bool
) -> list[Row]:
    images, length = len(texts), model.num_image_tokens
    sampling = Sampling(temperature=0.0, guidance=GUIDANCE, batch_size=images)
    short = name.split()[0]
    dtype = DTYPES[SUBJECTS[name].dtype]
    ids = [model.prompts.generation(text) for text in texts]
    free = [model.prompts.unconditional(row) for row in ids]

    drawn: dict[str, list[tuple[int, ...]]] = {}

    def ours() -> None:
        drawn["ours"] = model.draw_codes(texts, sampling)

    def theirs() -> None:
        with lowered:
            drawn["generate"] = generate.draw(model.network, model.processor, texts, GUIDANCE)

    def growing() -> None:
        with lowered:
            drawn["growing"] = growing_cache.draw(model.network, ids, free, model.prompts.pad_id, GUIDANCE, length)

    keys = sum(map(len, ids)) / images + length / 2
    shapes = Shapes.of(model)
    operations, read = shapes.drawing_step(images, keys), shapes.drawing_bytes(images, keys, dtype.itemsize)
    repeats = 2 if quick else REPEATS[short]
    warm = short != "slice" and not quick  # the slice's calls are long: they are warm at once
    made = paired(theirs, ours, repeats=repeats, warm=warm)
    step = min(made.ours) / length
    details = {
        "codes_agree": agreement(drawn["generate"], drawn["ours"]),
        "operations_a_step": operations,
        "bytes_a_step": read,
        "share_of_matrix_rate": operations / step / rate[str(dtype).removeprefix("torch.")],
        "share_of_bandwidth": read / step / rate["bandwidth"],
    }
    what = f"drawing {images} image{'s' * (images > 1)}"
    rows = [
        speed_row(
            made,
            benchmark="drawing",
            subject=name,
            what=f"{what} / generate",
            bar=BARS.get((short, images)),
            details=details,
        )
    ]
    if short == "organism" or (images == 1 and dtype != torch.float32):
        again = paired(growing, ours, repeats=2, warm=False)
        details = {"codes_agree": agreement(drawn["growing"], drawn["ours"])}
        what = f"{what} / growing cache"
        rows.append(speed_row(again, benchmark="drawing", subject=name, what=what, details=details))
    return rows


def agreement(first: list[tuple[int, ...]], second: list[tuple[int, ...]]) -> float:
    """The share of equal codes: 1 in fp32; in bf16 a rounding decides some code, and all after it differ."""
    pairs = [(a, b) for x, y in zip(first, second, strict=True) for a, b in zip(x, y, strict=True)]
    return sum(a == b for a, b in pairs) / len(pairs)
