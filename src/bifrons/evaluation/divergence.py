"""How far training has moved a model from its base: teacher-forced KL(policy || reference) on chosen responses.

Teacher-forced: the divergence at each token of a response that is given, not of one that the policy samples. A base
without an adapter has none of itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bifrons.evaluation.metric import Metric, Scores
from bifrons.protocol import UnifiedModel
from bifrons.records import Pair, Task

Divergences = Mapping[Task, Mapping[str, tuple[float, int]]]  # by pair id: nats over the chosen response, its tokens

TASKS: tuple[Task, ...] = ("understanding", "generation")
PER_SEQUENCE: dict[Task, Metric] = {
    task: Metric(
        name=f"kl_{task}_per_sequence",
        label=f"KL a sequence, {task}",
        task=task,
        direction="neither",
        unit="nats",
        description=f"KL(policy || base) summed over the tokens of chosen {task} responses, teacher-forced.",
    )
    for task in TASKS
}
PER_TOKEN: dict[Task, Metric] = {
    task: Metric(
        name=f"kl_{task}_per_token",
        label=f"KL a token, {task}",
        task=task,
        direction="neither",
        unit="nats",
        description=f"KL(policy || base) a token of chosen {task} responses, teacher-forced.",
    )
    for task in TASKS
}
METRICS = tuple(table[task] for task in TASKS for table in (PER_SEQUENCE, PER_TOKEN))


def measure_divergence(model: UnifiedModel, pairs: Sequence[Pair], batch_size: int = 8) -> dict[str, tuple[float, int]]:
    """Nats over the chosen response of each pair, all of one task, and its tokens; by pair id."""
    found: dict[str, tuple[float, int]] = {}
    for start in range(0, len(pairs), batch_size):
        batch = pairs[start : start + batch_size]
        made = model.token_kl(model.pack(batch))  # type: ignore[arg-type]
        for pair, nats, tokens in zip(batch, made.sums[:, 0].tolist(), made.counts[:, 0].tolist(), strict=True):
            found[pair.id] = nats, tokens
    return found


def divergence_scores(divergences: Divergences | None) -> list[Scores]:
    found: list[Scores] = []
    for task in TASKS:
        rows = (divergences or {}).get(task, {})
        why = "" if rows else "there is no adapter, and a base does not diverge from itself"
        if divergences is not None and not rows:
            why = f"it was measured on no {task} pairs"
        sums = {item: nats for item, (nats, _) in rows.items()}
        means = {item: nats / tokens for item, (nats, tokens) in rows.items()}
        found += [Scores(metric=PER_SEQUENCE[task].name, items=sums, reason=why)]
        found += [Scores(metric=PER_TOKEN[task].name, items=means, reason=why)]
    return found
