"""Workers: a killed one fails its cell alone and is replaced; what fails in one comes back with its reason."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from bifrons.study import StudyConfig
from bifrons.study.cells import Cell
from bifrons.study.jobs import crew, run_together
from bifrons.study.progress import StudyProgress
from bifrons.study.work import Outcome


@pytest.mark.slow
def test_a_killed_worker_fails_its_cell_alone(tmp_path: Path) -> None:
    """Three cells and one worker, which is killed before its first: the next worker runs the other two."""
    cells = [Cell("pcgrad", seed, "train", "nothing") for seed in (0, 1)]
    needy = Cell("fixed_weight", 0, "train", "nothing", needs=(cells[1],))
    outcomes: dict[Cell, Outcome] = {}
    config = StudyConfig()
    with StudyProgress(shown=False) as progress, crew(config, tmp_path, 1) as workers:
        progress.start(3)
        os.kill(workers[0].process.pid or 0, signal.SIGKILL)
        run_together(workers, [needy, *cells], outcomes, {}, config, tmp_path, progress)
        processes = [worker.process for worker in workers]
    assert {cell: outcome.status for cell, outcome in outcomes.items()} == {
        cells[0]: "failed",
        cells[1]: "failed",
        needy: "missing",
    }
    assert outcomes[cells[0]].reason == "its process was killed by signal 9"
    assert "no model 'nothing'" in outcomes[cells[1]].reason
    assert not any(process.is_alive() for process in processes)
