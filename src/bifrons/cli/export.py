"""`bifrons export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

MUCH = 0.05  # of the update lost to rounding, from which on it is said aloud


def export(
    adapter: Annotated[Path, typer.Argument(help="Folder of a trained adapter, such as runs/mine/adapter.")],
    out: Annotated[Path, typer.Option(help="Folder to write; must not exist.")],
    adapter_only: Annotated[
        bool, typer.Option("--adapter-only", help="Plain PEFT files and the card; the base is not loaded.")
    ] = False,
    base: Annotated[str, typer.Option(help="Where the base lies, when not where the adapter says.")] = "",
    dtype: Annotated[str, typer.Option(help="float32, bfloat16 or float16; unset is what it was trained in.")] = "",
    push: Annotated[str, typer.Option(help="Upload to this hub repository, owner/name; unset sends nothing.")] = "",
    public: Annotated[bool, typer.Option("--public", help="A repository that --push creates is public.")] = False,
) -> None:
    """Merge an adapter into a full checkpoint with a model card; `--push owner/name` uploads it."""
    if push and push.count("/") != 1:  # before the work, not after it
        raise ValueError(f"--push {push}: is no name on the hub; give owner/name")
    if public and not push:
        raise ValueError("--public is about the repository of --push, which is not given")
    import torch

    from bifrons.export import DTYPES, export_adapter
    from bifrons.export import push as upload

    if dtype and dtype not in DTYPES:
        raise ValueError(f"--dtype is {dtype!r}; it is one of {', '.join(DTYPES)}")
    made = export_adapter(
        adapter, out, merge=not adapter_only, base=base, dtype=getattr(torch, dtype) if dtype else None
    )
    typer.echo(f"{'adapter' if adapter_only else 'checkpoint'}: {made.folder.resolve()}")
    if made.rounding is not None and made.rounding > MUCH:
        lost = f"rounding took {made.rounding:.0%} of the update's norm; --dtype float32 keeps it"
        typer.echo(f"bifrons: {lost}", err=True)
    if push:
        typer.echo(f"pushed: {upload(made.folder, push, private=not public)}")
