"""Positive controls of a study: what a sound trainer must manage before its null results are believed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bifrons.pairs import planted_pairs
from bifrons.protocol import AdapterSettings, UnifiedModel
from bifrons.records import pairs_hash, read_json, run_key, write_json
from bifrons.study.bench import Bench
from bifrons.study.config import StudyConfig
from bifrons.training import Recipe, align, held_out

HELD_OUT_SHARE = 0.2


def run_controls(bench: Bench, config: StudyConfig, say: Callable[[str], None]) -> None:
    """Write `controls.json`: held-out margin accuracy on planted pairs, and accuracy and loss on pairs learned by
    heart. A control that fails to run is kept with its reason.
    """
    wanted = {"planted": config.controls.planted, "overfit": config.controls.overfit}
    if not any(wanted.values()):
        return
    path = bench.folder / "controls.json"
    model, data = bench.model(config.model), bench.data(config)
    definition = {
        "controls": config.controls.model_dump(mode="json"),
        "training": config.training.model_dump(mode="json"),
        **model.identity.scores_by,
        "pairs": pairs_hash(data.understanding),
    }
    key = run_key(definition)
    if path.is_file() and read_json(path).get("key") == key:
        return
    found: dict[str, Any] = {"key": key, "model": config.model}
    for name, run in (("planted", planted), ("overfit", overfit)):
        if not wanted[name]:
            continue
        say(f"positive control: {name}")
        try:
            found |= run(config, model, data.understanding)
        except Exception as error:
            found |= {name: {"reason": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"}}
        finally:
            model.remove_adapter()
    write_json(path, found)


def planted(config: StudyConfig, model: UnifiedModel, _: Any) -> dict[str, Any]:
    """Control (b) of the study: planted generation pairs, a fifth held out, at the study's own learning rate."""
    settings = config.controls
    pairs = planted_pairs(model, settings.planted).pairs
    kept = round(len(pairs) * (1 - HELD_OUT_SHARE))
    align(
        model,
        generation=pairs[:kept],
        recipe=recipe(config, "generation_only", settings.planted_steps, config.training.learning_rate),
        progress=False,
    )
    scored = held_out(model, pairs[kept:], config.training.beta)
    return {"planted": {"accuracy": scored.accuracy, "loss": scored.loss, "pairs": len(scored.margins)}}


def overfit(config: StudyConfig, model: UnifiedModel, answers: Any) -> dict[str, Any]:
    """Control (a): a few pairs a face in one joint run, every one learned by heart."""
    settings = config.controls
    few = answers[: settings.overfit]
    drawings = planted_pairs(model, settings.overfit).pairs
    align(
        model,
        understanding=few,
        generation=drawings,
        recipe=recipe(config, "naive_joint", settings.overfit_steps, settings.overfit_learning_rate),
        progress=False,
    )
    found: dict[str, Any] = {}
    for task, pairs in (("understanding", few), ("generation", drawings)):
        scored = held_out(model, pairs, config.training.beta)
        found[f"overfit_{task}"] = {"accuracy": scored.accuracy, "loss": scored.loss, "pairs": len(scored.margins)}
    return found


def recipe(config: StudyConfig, strategy: str, steps: int, learning_rate: float) -> Recipe:
    training = config.training
    return Recipe(
        strategy=strategy,
        steps=steps,
        beta_understanding=training.beta,
        beta_generation=training.beta,
        learning_rate=learning_rate,
        weight_decay=training.weight_decay,
        adapter=AdapterSettings(rank=training.rank, alpha=training.alpha, dropout=training.dropout),
    )
