"""A run of the tiny model as one of several processes: `python two_processes.py FOLDER SETTINGS`, started once a rank.

Figures, Gramian, weights and adapter go to FOLDER, from the process that writes. Beside the settings of `align`,
`dropout` is the adapter's, and with `killed_in` every process is gone in the middle of that step.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
KILLED = 9  # exit code
sys.path[:0] = [str(HERE), str(HERE.parent / "models")]


def main(folder: Path, settings: dict[str, Any]) -> None:
    warnings.simplefilter("ignore")
    import torch
    from short_run import run
    from tiny_janus import SETTINGS, make_model

    from bifrons.records import StepRecord

    torch.set_num_threads(1)
    killed_in = settings.pop("killed_in", None)

    def kill(step: StepRecord) -> None:
        if step.step == killed_in:
            os._exit(KILLED)

    adapter = replace(SETTINGS, dropout=settings.pop("dropout", SETTINGS.dropout))
    run(make_model(), out=folder, adapter=adapter, on_step=kill, **settings)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
