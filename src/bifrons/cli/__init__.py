"""The command line: few flags a verb, no logic."""

from bifrons.cli.main import main

__all__ = ["main"]
