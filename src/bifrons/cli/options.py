"""`--option key=value`: settings of a model's family."""

from __future__ import annotations

from typing import Annotated, Any

import typer

Options = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        help="A setting of the model's family instead of its default, several times: `--option num_masks=8`. "
        "A family refuses what it does not have and says what it has.",
    ),
]


def named(given: list[str] | None) -> dict[str, Any]:
    """By name. Raises ValueError for what is not key=value, and for a name twice."""
    from bifrons.study.config import parse_value

    found: dict[str, Any] = {}
    for text in given or ():
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise ValueError(f"--option {text}: it has to be key=value")
        if key.strip() in found:
            raise ValueError(f"--option {text}: {key.strip()} is given twice")
        found[key.strip()] = parse_value(value.strip())
    return found
