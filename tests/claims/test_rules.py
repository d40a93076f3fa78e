"""What a claim may say in a study file."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

from bifrons.claims import Claim, Condition
from bifrons.study import read_study

STUDIES = Path(__file__).parents[2] / "studies"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"of": "cosine", "rule": "smells"}, "rule"),
        ({"of": "cosine", "rule": "within"}, "low and high"),
        ({"of": "cosine", "rule": "above", "low": 1.0}, "low and high"),
        ({"of": "vqa_score", "rule": "above"}, "needs methods"),
        ({"of": "cosine", "rule": "above", "margin": 0.0}, "margin"),
        ({"of": "cosine", "rule": "above", "colour": 1}, "colour"),
    ],
)
def test_a_bad_condition_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Condition.model_validate(values)


def test_a_claim_says_how_it_is_judged_or_why_not() -> None:
    with pytest.raises(ValidationError, match="claim 3 needs"):
        Claim(number=3, text="A claim.")
    assert Claim(number=3, text="A claim.", not_testable="it needs a 7B model").not_testable


def test_the_organisms_study_fixes_all_twenty_claims() -> None:
    """Every claim is there once; every one names a statistic, a rule and where the paper states it."""
    claims = read_study(STUDIES / "organism.toml").claims
    assert [claim.number for claim in claims] == list(range(1, 21))
    assert all(claim.scope and claim.conditions for claim in claims)


def test_claim_6_needs_the_controls_and_the_larger_rates() -> None:
    """No "reproduced" without the planted control, pairs learned by heart, learning rate x 4 and 16, and steps x 4."""
    study = read_study(STUDIES / "organism.toml")
    claim = study.claims[5]
    assert {"control_planted", "control_overfit_generation"} <= {condition.of for condition in claim.requires}
    settings = [condition.setting for condition in claim.conditions]
    rate = study.training.learning_rate
    for wanted in ({"learning_rate": 4 * rate}, {"learning_rate": 16 * rate}, {"steps": 4 * study.training.steps}):
        assert any(setting == pytest.approx(wanted) for setting in settings if setting.keys() == wanted.keys())


def test_settings_of_claims_are_settings_of_the_study() -> None:
    """A condition on a setting that no cell has would never be testable."""
    from bifrons.study.cells import cells_of

    study = read_study(STUDIES / "organism.toml")
    made = {(cell.method, cell.shown) for cell in cells_of(study)}
    asked = [c for claim in study.claims for c in (*claim.conditions, *claim.requires) if c.methods and not c.model]
    for condition in asked:
        for method in condition.methods:
            assert any(m == method and dict(shown) == condition.setting for m, shown in made), condition


def test_the_study_file_is_the_record() -> None:
    """The margin of equivalence stands in the file itself, not in a default."""
    assert tomllib.loads((STUDIES / "organism.toml").read_text())["margin"] == 0.2
