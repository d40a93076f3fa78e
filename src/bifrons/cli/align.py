"""`bifrons align`: one run on one's own pairs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bifrons.cli.options import Options, named

if TYPE_CHECKING:
    from bifrons.protocol import UnifiedModel
    from bifrons.records import StepRecord

DTYPES = ("auto", "float32", "bfloat16")


def align(
    understanding: Annotated[Path | None, typer.Option(help="Understanding pairs, Parquet.")] = None,
    generation: Annotated[Path | None, typer.Option(help="Generation pairs, Parquet.")] = None,
    model: Annotated[
        str, typer.Option(help="`organism`, a local folder in the Hugging Face layout, or a hub name.")
    ] = "organism",
    option: Options = None,
    out: Annotated[Path, typer.Option(help="Folder of this run; it resumes there.")] = Path("runs/align"),
    strategy: Annotated[
        str,
        typer.Option(
            help="How the two task gradients are weighed: `naive_joint` adds them; `gradient_weighted` gives both the "
            "same norm; `pcgrad`, `mgda`, `cagrad`, `upgrad`, ... settle conflicts; `understanding_only` and "
            "`generation_only` train one face; or `module:function` of your own."
        ),
    ] = "gradient_weighted",
    loss: Annotated[
        str,
        typer.Option(
            help="`dpo`; `dpo_length_normalized` (a token, not a response, counts); `dpo_sft` (holds up the chosen "
            "likelihood); `ipo` and `ipo_per_token` (a finite target); `kto_pair`; `simpo` (no reference). Two with a "
            "comma are for understanding and generation: `dpo,simpo`."
        ),
    ] = "dpo",
    beta: Annotated[
        str | None,
        typer.Option(
            help="How far the policy may leave the reference: less is further. `0.1`, or `0.1,0.3`; without it the "
            "loss's usual one: 0.1, of `simpo` 2, of `dpo_length_normalized` and `ipo_per_token` 5."
        ),
    ] = None,
    paired: Annotated[
        bool, typer.Option("--paired", help="Record i of both files in the same step (homologous pairs).")
    ] = False,
    coupling: Annotated[
        str, typer.Option(help="`sum`, or `product` of the two margins, which is degenerate and kept to compare.")
    ] = "sum",
    steps: Annotated[int, typer.Option(help="Optimizer steps.")] = 1000,
    learning_rate: Annotated[float, typer.Option(help="Peak of the cosine schedule.")] = 5e-6,
    pairs_per_step: Annotated[int, typer.Option(help="Pairs a task in a step, over all processes.")] = 1,
    rank: Annotated[int, typer.Option(help="LoRA rank; alpha is twice as much.")] = 64,
    dropout: Annotated[float, typer.Option(help="Of the adapter's inputs; 0 packs a step's pairs together.")] = 0.05,
    seed: Annotated[int, typer.Option(help="Seed of order, dropout and adapter.")] = 0,
    dtype: Annotated[str, typer.Option(help="Of the base: `auto` (its files'), `float32`, `bfloat16`.")] = "auto",
    accumulate: Annotated[int, typer.Option(help="Cut a step into as many micro-batches, to save memory.")] = 1,
    gradient_checkpointing: Annotated[
        bool, typer.Option("--gradient-checkpointing", help="Compute activations twice, to save memory.")
    ] = False,
    compile: Annotated[
        bool,
        typer.Option("--compile", help="Let torch compile the body's layers: faster steps after a minute's wait."),
    ] = False,
    layout: Annotated[
        str,
        typer.Option(help="Several processes: `replicas` of the model, or `sharded` (FSDP2) where it is too large."),
    ] = "replicas",
    tracker: Annotated[str | None, typer.Option(help="`tensorboard`, `trackio` or `wandb`.")] = None,
) -> None:
    """Train one adapter on your preference pairs, of one task or of both.

    The run's folder holds `config.json`, one line a step in `steps.jsonl` (losses, margins, the cosine and ratio of the
    two task gradients in total and by layer, weights), the checkpoint and `adapter/`, which plain PEFT loads. The same
    command goes on where it stopped.

    On several GPUs: `accelerate launch --num_processes 2 -m bifrons align ...`; on the CPU, where that starts one
    process, `torchrun --nproc_per_node 2 -m bifrons align ...`. A run is the same run however many processes share it.
    """
    from bifrons.protocol import AdapterSettings
    from bifrons.records import read_pairs
    from bifrons.training import align as train

    losses = two("--loss", loss)
    betas = [None, None] if beta is None else [number("--beta", text) for text in two("--beta", beta)]
    run = train(
        loaded(model, dtype, option),
        understanding=None if understanding is None else read_pairs(understanding),  # type: ignore[arg-type]
        generation=None if generation is None else read_pairs(generation),  # type: ignore[arg-type]
        strategy=strategy,
        loss_understanding=losses[0],
        loss_generation=losses[1],
        beta_understanding=betas[0],
        beta_generation=betas[1],
        paired=paired,
        coupling=coupling,
        steps=steps,
        learning_rate=learning_rate,
        pairs_per_step=pairs_per_step,
        accumulate=accumulate,
        adapter=AdapterSettings(rank=rank, alpha=2 * rank, dropout=dropout, seed=seed),
        seed=seed,
        out=out,
        gradient_checkpointing=gradient_checkpointing,
        compile=compile,
        layout=layout,  # type: ignore[arg-type]
        tracker=tracker,
    )
    if int(os.environ.get("RANK", "0")) > 0:
        return  # one process of several speaks
    for task, final in (("understanding", run.record.loss_understanding), ("generation", run.record.loss_generation)):
        if final is not None:
            typer.echo(
                f"{task} loss: {first_loss(run.steps, task):.4f} in the first step, {final:.4f} as the mean of the last"
            )
    typer.echo(f"adapter: {(out / 'adapter').resolve()}")


def first_loss(steps: Sequence[StepRecord], task: str) -> float:
    return getattr(steps[0], task).loss


def loaded(name: str, dtype: str, option: list[str] | None) -> UnifiedModel:
    """The model. One of several processes reads it on the CPU; the run moves it to the process's own device."""
    import torch

    from bifrons.models import load

    if dtype not in DTYPES:
        raise ValueError(f"--dtype {dtype}: it is one of {', '.join(DTYPES)}")
    several = int(os.environ.get("WORLD_SIZE", "1")) > 1
    kind = None if dtype == "auto" else getattr(torch, dtype)
    return load(name, dtype=kind, device="cpu" if several else None, options=named(option))


def two(option: str, text: str) -> tuple[str, str]:
    """One value for both tasks, or one each."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > 2:
        raise ValueError(f"{option} {text}: give one value, or two with a comma between (understanding, generation)")
    return parts[0], parts[-1]


def number(option: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{option} {text}: it has to be a number") from None
