"""`python -m bifrons`."""

from bifrons.cli import main

main()
