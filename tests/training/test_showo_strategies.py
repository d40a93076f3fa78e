"""Every strategy of the table trains a model whose log-probabilities of drawings are estimates."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
import torch

sys.path.append(str(Path(__file__).parents[1] / "models"))

from tiny_janus import understanding_pairs
from tiny_showo import generation_pairs, make_model

from bifrons import align
from bifrons.merge import soup
from bifrons.protocol import AdapterSettings
from bifrons.strategies import STRATEGIES

ADAPTER = AdapterSettings(rank=2, alpha=4.0, dropout=0.0)
SINGLE = {"understanding_only": "generation", "generation_only": "understanding"}  # and the task that each leaves out


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_it_trains(strategy: str) -> None:
    if strategy in ("aligned_mtl", "imtl_g", "mgda") and importlib.util.find_spec("torchjd") is None:
        pytest.skip("TorchJD is not installed")
    settings = {"understanding": 1.2, "generation": 0.8} if strategy == "fixed_weight" else {}
    run = align(
        make_model(),
        understanding=understanding_pairs(3),
        generation=generation_pairs(),
        strategy=strategy,
        strategy_settings=settings,
        steps=3,
        learning_rate=1e-2,
        adapter=ADAPTER,
        progress=False,
    )
    for task in ("understanding", "generation"):
        trained = SINGLE.get(strategy) != task
        margins = [seen.margin for step in run.steps if (seen := getattr(step, task)) is not None]
        assert len(margins) == 3 * trained, "one record a step of what is trained, none of what is not"
        if trained:
            assert abs(margins[0]) < 1e-4 < abs(margins[-1]), "from its reference, and away from it"


def test_a_soup_of_two_single_adapters_is_its_parents_at_both_ends(tmp_path: Path) -> None:
    """Weight 0 is the adapter of understanding and weight 1 that of generation, on both tasks."""
    pairs = {"understanding": understanding_pairs(3), "generation": generation_pairs()}
    folders = {}
    for task, of_task in pairs.items():
        folders[task] = tmp_path / task
        align(
            make_model(),
            **{task: of_task},  # type: ignore[arg-type]
            strategy=f"{task}_only",
            steps=3,
            learning_rate=1e-2,
            adapter=ADAPTER,
            progress=False,
            out=folders[task],
        )

    @torch.no_grad()
    def sums(adapter: Path) -> list[float]:
        model = make_model()
        model.load_adapter(adapter)
        return [float(x) for some in pairs.values() for x in model.log_probs(model.pack(some)).sums.flatten()]  # type: ignore[arg-type]

    parents = [sums(folder / "adapter") for folder in folders.values()]
    assert parents[0] != pytest.approx(parents[1], rel=1e-4)
    for weight, wanted in zip((0.0, 1.0), parents, strict=True):
        soup(*(folder / "adapter" for folder in folders.values()), weight, tmp_path / f"soup{weight}")
        assert sums(tmp_path / f"soup{weight}") == pytest.approx(wanted, rel=1e-5)
