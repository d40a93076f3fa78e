"""Claims and their verdicts: rules fixed in a study file before the run, evaluated over its stored records."""

from bifrons.claims.rules import RULES, STATISTICS, Claim, Condition

__all__ = ["RULES", "STATISTICS", "Claim", "Condition"]
