"""Settings of a family by name: what is set, what is refused, and that no key lets two of them mix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tiny_janus import make_model as make_janus
from tiny_janus import picture, understanding_pairs
from tiny_showo import make_model, write_checkpoint

from bifrons import load
from bifrons.models.showo.drawing import DrawingSettings
from bifrons.models.showo.estimator import MaskEstimator
from bifrons.models.showo.model import ShowoModel
from bifrons.pairs.samples import Samples
from bifrons.protocol import Sampling, UnifiedModel
from bifrons.records import run_key
from bifrons.study.config import EvaluationSection
from bifrons.study.evaluation import divergence_path, responses_of
from bifrons.training import Recipe

OTHER_MASKS = {"num_masks": 8, "weighting": "elbo", "antithetic": False, "mask_seed": 3}
OTHER_STEPS = {"drawing_steps": 3, "guidance": 2, "compounding": True}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("showo") / "three")


def keys(model: UnifiedModel, folder: Path) -> dict[str, str]:
    """The keys of a run, of what was sampled, and of a divergence."""
    settings = EvaluationSection()
    store = responses_of(model, None, settings, 0, folder)
    return {
        "run": run_key(Recipe().definition(model.identity, {})),
        "responses": run_key(store.about),
        "divergence": divergence_path(model, "a", {}, folder).name,
    }


def test_options_reach_the_estimator_and_the_sampler(folder: Path) -> None:
    model = load(str(folder), options=OTHER_MASKS | OTHER_STEPS)
    assert isinstance(model, ShowoModel)
    assert model.estimator == MaskEstimator(num_masks=8, weighting="elbo", antithetic=False, seed=3)
    assert model.drawing == DrawingSettings(steps=3, guidance=2.0, compounding=True)
    untouched = load(str(folder))
    assert isinstance(untouched, ShowoModel) and untouched.estimator == MaskEstimator()
    assert untouched.identity.scoring == {"num_masks": 4, "weighting": "maskgit", "antithetic": True, "mask_seed": 0}


def test_runs_of_other_masks_and_samples_of_other_steps_never_mix(folder: Path, tmp_path: Path) -> None:
    """Masks decide runs and divergences, steps of drawing decide samples; what is given at its default decides none."""
    own = keys(load(str(folder)), tmp_path)
    same = keys(load(str(folder), options={"num_masks": 4, "guidance": 6}), tmp_path)
    masks = keys(load(str(folder), options=OTHER_MASKS), tmp_path)
    steps = keys(load(str(folder), options=OTHER_STEPS), tmp_path)
    assert same == own
    assert {name for name in own if masks[name] != own[name]} == {"run", "divergence"}
    assert {name for name in own if steps[name] != own[name]} == {"responses"}


def test_samples_on_disk_are_those_of_their_steps(tmp_path: Path) -> None:
    """A build that goes on with another sampler draws anew, and with the same one it does not."""
    path = tmp_path / "samples.jsonl"
    for steps, lines in ((4, 2), (4, 2), (3, 4)):
        model = make_model(drawing=DrawingSettings(steps=steps, guidance=1.0))
        list(Samples(model, path, None).drawings(["one", "there is one"], Sampling(seed=1)))
        assert len(path.read_text().splitlines()) == lines


def test_without_settings_keys_are_those_of_the_weights() -> None:
    """Finished runs of a family that has none keep theirs."""
    identity = make_janus().identity
    assert identity.scores_by == identity.samples_by == {"model": identity.fingerprint, "dtype": "float32"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_mask": 2}, "have no option 'num_mask'; it has num_masks, weighting,"),
        ({"device": "cpu"}, "have no option 'device'"),
        ({"num_masks": 2.0}, "the option num_masks is 2.0, and has to be a whole number"),
        ({"num_masks": True}, "the option num_masks is True"),
        ({"antithetic": 1}, "the option antithetic is 1, and has to be true or false"),
        ({"num_masks": 3}, "num_masks is 3; it has to be at least 1 and even"),
        ({"weighting": "uniform"}, "weighting 'uniform': there are maskgit, elbo"),
        ({"drawing_steps": 0}, "drawing takes 0 steps"),
        ({"guidance": 0.5}, "guidance is 0.5"),
    ],
)
def test_what_is_no_option_is_refused_by_name(folder: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match="show-o: ") as caught:
        load(str(folder), options=options)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_family_without_options_says_so() -> None:
    """Before its weights are read."""
    with pytest.raises(ValueError, match="organism: models of family 'janus' have no option 'num_masks'; it has none"):
        load("organism", options={"num_masks": 2})


def test_an_image_is_read_alike_whatever_the_masks() -> None:
    few, many = (make_model(estimator=MaskEstimator(num_masks=k)) for k in (2, 8))
    assert few.encode([picture(0)]) == many.encode([picture(0)])
    assert few.count_tokens(understanding_pairs(1)[0]) == many.count_tokens(understanding_pairs(1)[0])
