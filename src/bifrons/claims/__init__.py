"""Claims and their verdicts: rules fixed in a study file before the run, evaluated over its stored records."""

from bifrons.claims.judge import Judgement, judge, write_claims
from bifrons.claims.records import Records, load_records, pack_scores
from bifrons.claims.rules import RULES, STATISTICS, Claim, Condition

__all__ = [
    "RULES",
    "STATISTICS",
    "Claim",
    "Condition",
    "Judgement",
    "Records",
    "judge",
    "load_records",
    "pack_scores",
    "write_claims",
]
