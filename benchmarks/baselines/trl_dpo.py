"""TRL's `DPOTrainer` on understanding pairs, with its defaults but for what both sides share.

Shared, and so set: dtype, threads, no gradient checkpointing (TRL's default is on, which would only slow it), LoRA's
shape, beta, one pair a step, no file written. TRL makes the reference by switching LoRA off, encodes the image twice in
each of its forwards, and computes log-probabilities through its fused head.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from typing import Any

from peft import LoraConfig
from transformers import TrainerCallback

from bifrons.models.janus.model import SITES
from bifrons.models.pictures import to_image
from bifrons.protocol import AdapterSettings
from bifrons.records import UnderstandingPair


class Clock(TrainerCallback):
    """Seconds of each optimizer step, as the trainer's callbacks see it: without making the batch."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.began = 0.0

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self.began = time.perf_counter()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.seconds.append(time.perf_counter() - self.began)


def train(
    network: Any,
    processor: Any,
    pairs: Sequence[UnderstandingPair],
    settings: AdapterSettings,
    *,
    beta: float = 0.1,
) -> list[float]:
    """Seconds of each step, one pair a step."""
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer  # pyright: ignore[reportPrivateImportUsage]

    rows = [
        {
            "images": [to_image(pair.image)],
            "prompt": [{"role": "user", "content": pair.question}],
            "chosen": [{"role": "assistant", "content": pair.chosen}],
            "rejected": [{"role": "assistant", "content": pair.rejected}],
        }
        for pair in pairs
    ]
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        arguments = DPOConfig(
            output_dir=folder,
            per_device_train_batch_size=1,
            max_steps=len(pairs),
            beta=beta,
            bf16=False,
            gradient_checkpointing=False,
            use_cpu=network.device.type == "cpu",
            report_to="none",
            save_strategy="no",
            disable_tqdm=True,
        )
        trainer = DPOTrainer(
            model=network,
            args=arguments,
            train_dataset=Dataset.from_list(rows),
            processing_class=processor,
            peft_config=LoraConfig(
                r=settings.rank,
                lora_alpha=settings.alpha,  # pyright: ignore[reportArgumentType]
                lora_dropout=0.0,
                target_modules=SITES.targets,
            ),
            callbacks=[clock],
        )
        trainer.train()
    return clock.seconds
