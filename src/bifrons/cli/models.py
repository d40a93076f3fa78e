"""`bifrons models`."""

from __future__ import annotations

from typing import Annotated

import typer


def models(
    shapes: Annotated[
        bool, typer.Option("--shapes", help="Shapes, parameters, memory and arithmetic of the published sizes.")
    ] = False,
    rank: Annotated[int, typer.Option(help="LoRA rank that the memory of training is estimated for.")] = 64,
) -> None:
    """List the models that can be loaded by name. Nothing is downloaded."""
    if rank < 1:
        raise ValueError(f"--rank is {rank}; it has to be at least 1")
    if shapes:
        for line in shape_lines(rank):
            typer.echo(line)
        return
    from bifrons.models import EMBEDDED, KNOWN

    for name in EMBEDDED:
        typer.echo(f"{name:34} embedded: nothing is downloaded")
    for name, note in KNOWN.items():
        typer.echo(f"{name:34} {note}")
    typer.echo(
        "Besides these: any folder or hub name of a Janus checkpoint in the Hugging Face layout, or of a Show-o one "
        "in its own."
    )


def shape_lines(rank: int) -> list[str]:
    from bifrons.models.costs import GIB, H100
    from bifrons.models.janus import costs as janus
    from bifrons.models.showo import costs as showo

    lines = [
        f"Memory (without activations) and times are estimates from shapes, LoRA rank {rank}; times are lower bounds",
        f"on one {H100.name}.",
    ]
    for family in (janus, showo):
        lines += ["", family.headline()]
        for name, text in family.sizes().items():
            parts = family.count_parameters(name)
            lines += ["", f"{name}  ({text})"]
            lines += [f"  {part:28} {number:15,} parameters" for part, number in parts.items()]
            lines += [f"  {'all':28} {sum(parts.values()):15,} parameters"]
            for stage in family.memory(name, rank=rank):
                said = ", ".join(f"{part} {size / GIB:.2f}" for part, size in stage.parts.items())
                lines += [f"  {stage.stage:28} {stage.total / GIB:7.1f} GiB: {said}"]
            for stage in family.stages(name):
                size = f"{stage.operations / 1e15:9.2f} PFLOP, {stage.read / 1e12:8.2f} TB read"
                lines += [f"  {stage.name:20} {stage.amount:26} {size}, {stage.seconds / 60:7.1f} min"]
    return lines
