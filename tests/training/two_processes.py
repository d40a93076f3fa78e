"""A run of the tiny model as one of several processes: `python two_processes.py FOLDER SETTINGS`, started once a rank.

Figures, Gramian, weights and adapter go to FOLDER, from the process that writes.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "models")]


def main(folder: Path, settings: dict[str, Any]) -> None:
    warnings.simplefilter("ignore")
    import torch
    from short_run import NO_DROPOUT, run
    from tiny_janus import make_model

    torch.set_num_threads(1)
    run(make_model(), out=folder, adapter=NO_DROPOUT, **settings)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
