"""The learning rate of a study, chosen once on pairs held out from training, the same for every method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bifrons.protocol import AdapterSettings
from bifrons.records import Task, write_json
from bifrons.study.bench import load_as
from bifrons.study.config import StudyConfig
from bifrons.study.data import load_data
from bifrons.study.progress import StudyProgress
from bifrons.training import Recipe, align, held_out

HELD_OUT_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class RateResult:
    """Held-out loss and margin accuracy of the two single-task runs at one learning rate."""

    learning_rate: float
    loss_understanding: float
    loss_generation: float
    accuracy_understanding: float
    accuracy_generation: float

    @property
    def loss(self) -> float:
        return self.loss_understanding + self.loss_generation


def choose_rate(config: StudyConfig, name: str, out: Path, rates: Sequence[float]) -> list[RateResult]:
    """Train each face alone at each rate on four fifths of the pairs and score the rest; lowest summed loss first.

    Writes `rates.json` into the study's folder. Raises ValueError for rates that are not above 0.
    """
    if not rates or any(rate <= 0 for rate in rates):
        raise ValueError(f"learning rates are {list(rates)}; they have to be above 0, and there has to be one")
    folder = out / name
    settings = config.training
    model = load_as(config.model, config)
    found: list[RateResult] = []
    with StudyProgress(shown=True) as progress:
        data = load_data(config, model, folder / "pairs", progress.say)
        pairs: dict[Task, Any] = {"understanding": data.understanding, "generation": data.generation}
        for rate in rates:
            figures: dict[str, float] = {}
            for task, of_task in pairs.items():
                kept = round(len(of_task) * (1 - HELD_OUT_SHARE))
                recipe = Recipe(
                    strategy=f"{task}_only",
                    steps=settings.steps,
                    beta_understanding=settings.beta,
                    beta_generation=settings.beta,
                    learning_rate=rate,
                    weight_decay=settings.weight_decay,
                    adapter=AdapterSettings(rank=settings.rank, alpha=settings.alpha, dropout=settings.dropout),
                )
                align(model, recipe=recipe, progress=False, **{task: of_task[:kept]})
                scored = held_out(model, of_task[kept:], settings.beta)
                model.remove_adapter()
                figures |= {f"loss_{task}": scored.loss, f"accuracy_{task}": scored.accuracy}
            found.append(RateResult(learning_rate=rate, **figures))
            losses = " and ".join(f"{figures[f'loss_{task}']:.3f}" for task in pairs)
            progress.say(f"learning rate {rate:g}: held-out losses {losses}")
    found.sort(key=lambda result: result.loss)
    write_json(folder / "rates.json", {"held_out_share": HELD_OUT_SHARE, "results": [asdict(r) for r in found]})
    return found
