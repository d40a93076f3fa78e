"""What a study file may not say: each mistake is one line that names the file and the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from bifrons.study import StudyConfig, read_study
from bifrons.study.cells import cells_of
from bifrons.study.hermesflow_config import is_hermesflow

STUDIES = Path(__file__).parents[2] / "studies"


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("colour = 'red'", "unknown key 'colour'"),
        ("[training]\nstepz = 3", "unknown key 'training.stepz'"),
        ("seeds = []", "seeds is empty"),
        ("seeds = [1, 1]", "seeds holds a value twice"),
        ("methods = []", "methods is empty"),
        ("methods = ['naive_joint', 'nash']", "no method 'nash'"),
        ("methods = ['fixed_weight']", "fixed_weight needs gradient_weighted"),
        ("methods = ['rewarded_soup']", "rewarded_soup needs understanding_only"),
        ("soup_weights = []", "soup_weights"),
        ("soup_weights = [1.5]", "soup_weights.0"),
        ("[training]\nsteps = 0", "training.steps"),
        ("[training]\nsteps = 'many'", "training.steps"),
        ("[training]\nbeta = 0.0", "training.beta"),
        ("[evaluation]\nclip = 'scenes-curation'", "same network"),
        ("[data]\ncuration_clip = 'me/mine'\n[evaluation]\npick_score = 'me/mine'", "evaluation.pick_score"),
        ("[evaluation]\nkl_pairs = -1", "evaluation.kl_pairs"),
        ("seeds = [", "not TOML"),
        ("[training]\nloss = 'none'", "there is no loss 'none'"),
        ("[[vary]]\nmethods = ['pcgrad']\nset = {'training.loss' = ['ipo', 'none']}", "there is no loss 'none'"),
        ("models = ['organism', 'organism']", "models holds a value twice"),
        ("model = 'a/b'\nmodels = ['organism']", "give one"),
        ("[[vary]]\nmethods = ['nash']", "vary[0]: there is no method 'nash'"),
        ("[[vary]]\nmethods = ['rewarded_soup']", "cannot be varied"),
        ("[[vary]]\nmethods = ['pcgrad']\nset = {'training.stepz' = 3}", "no setting of [training] or [data]"),
        ("[[vary]]\nmethods = ['pcgrad']\nset = {'evaluation.items' = 3}", "no setting of [training] or [data]"),
        ("[[vary]]\nmethods = ['pcgrad']\nset = {'training.beta' = [0.1, 0.0]}", "training.beta"),
        ("[[vary]]\nmethods = ['pcgrad']\nset = {'training.interval' = 3}", "no effect"),
        ("[[vary]]\nmethods = ['pcgrad']\nseeds = []", "seeds is empty"),
        ("[[vary]]\nmethods = ['pcgrad']\nmodels = ['small']", "not among the study's"),
        ("[[claims]]\nnumber = 1\ntext = 'x'", "claim 1 needs"),
        (
            "[[claims]]\nnumber = 1\ntext = 'x'\nconditions = [{of = 'cosine', rule = 'odd'}]",
            "claims.0.conditions.0.rule",
        ),
    ],
)
def test_a_bad_file_is_named_with_its_key(tmp_path: Path, text: str, message: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ValueError, match="mine.toml") as caught:
        read_study(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such study file"):
        read_study(tmp_path / "absent.toml")


def test_overrides_reach_their_key(tmp_path: Path) -> None:
    """Numbers, lists and texts; an unknown key is refused like one in the file."""
    path = written(tmp_path, "seeds = [0]")
    config = read_study(path, ("training.steps=7", "seeds=[3, 4]", "title=A name"))
    assert (config.training.steps, config.seeds, config.title) == (7, (3, 4), "A name")
    with pytest.raises(ValueError, match=r"training\.stepz"):
        read_study(path, ("training.stepz=7",))
    with pytest.raises(ValueError, match="key=value"):
        read_study(path, ("training.steps",))


OF_THIS_KIND = sorted(path for path in STUDIES.glob("*.toml") if not is_hermesflow(path))


@pytest.mark.parametrize("path", OF_THIS_KIND, ids=lambda path: path.stem)
def test_shipped_study_files_are_valid(path: Path) -> None:
    assert read_study(path).seeds


def test_the_grid_puts_needs_first() -> None:
    """Every cell stands after the cells it needs, and all ten rows of the study are there."""
    cells = cells_of(StudyConfig(seeds=(0, 1), soup_weights=(0.25, 0.75)))
    for index, cell in enumerate(cells):
        assert all(need in cells[:index] for need in cell.needs), cell.name
    assert len(cells) == 1 + 2 * (7 + 2 + 1)
    assert len({cell.method for cell in cells}) == 10
    assert {need.method for cell in cells for need in cell.needs if cell.method == "fixed_weight"} == {
        "gradient_weighted"
    }


VARIED = """
seeds = [0, 1]
methods = ["gradient_weighted", "generation_only"]
models = ["organism", "small"]
[training]
beta = 0.1
[[vary]]
methods = ["gradient_weighted"]
set = {"training.beta" = [0.1, 0.5], "training.interval" = [1, 7]}
models = ["organism"]
seeds = [1]
[[vary]]
methods = ["gradient_weighted_smoothed"]
[[vary]]
methods = ["generation_only"]
set = {"data.generation_kind" = "model_against_model"}
"""


def test_what_is_varied_stands_beside_the_grid(tmp_path: Path) -> None:
    """Combinations of settings as differences from the study's own; each model has its base and its grid."""
    config = read_study(written(tmp_path, VARIED))
    cells = cells_of(config)
    assert len(set(cells)) == len(cells)
    for model in config.models:
        grid = [c for c in cells if c.model == model and not c.setting]
        smoothed = [c.seed for c in grid if c.method == "gradient_weighted_smoothed"]
        assert (len([c for c in grid if c.kind == "base"]), len(grid), smoothed) == (1, 7, [0, 1])
    swept = [dict(c.shown) for c in cells if c.method == "gradient_weighted" and c.setting]
    assert swept == [{"interval": 1}, {"interval": 7}, {"beta": 0.5, "interval": 1}, {"beta": 0.5, "interval": 7}]
    drawn = [(c.model, c.seed) for c in cells if dict(c.shown) == {"generation_kind": "model_against_model"}]
    assert drawn == [("organism", 0), ("organism", 1), ("small", 0), ("small", 1)]


def test_a_cell_is_run_under_its_own_settings(tmp_path: Path) -> None:
    """All else is the study's: nothing but what a cell varies is different."""
    config = read_study(written(tmp_path, VARIED))
    varied = config.under("small", (("training.beta", 0.5), ("data.generation_kind", "planted")))
    assert (varied.model, varied.training.beta, varied.data.generation_kind) == ("small", 0.5, "planted")
    assert varied.training.model_copy(update={"beta": 0.1}) == config.training
    own = config.under("organism", ())
    assert (own.training, own.data, own.evaluation) == (config.training, config.data, config.evaluation)


@pytest.mark.parametrize(("training", "beta"), [("", 2.0), ("[training]\nbeta = 0.3", 0.3)])
def test_a_loss_that_is_varied_has_its_usual_beta(tmp_path: Path, training: str, beta: float) -> None:
    """Unless the study names one."""
    config = read_study(written(tmp_path, f"seeds = [0]\n{training}"))
    varied = config.under("organism", (("training.loss", "simpo"),)).training
    assert (varied.loss, varied.beta) == ("simpo", beta)


def test_a_beta_beside_a_loss_is_named(tmp_path: Path) -> None:
    varied = "set = {'training.loss' = 'simpo', 'training.beta' = [0.1, 2.0]}"
    path = written(tmp_path, f"seeds = [0]\nmethods = ['pcgrad']\n[[vary]]\nmethods = ['pcgrad']\n{varied}")
    config = read_study(path)
    cells = [cell for cell in cells_of(config) if cell.setting]
    assert [dict(cell.shown) for cell in cells] == [{"loss": "simpo", "beta": 0.1}, {"loss": "simpo", "beta": 2.0}]
    assert [config.under("organism", cell.setting).training.beta for cell in cells] == [0.1, 2.0]


def test_a_setting_that_is_the_studys_own_is_no_new_cell(tmp_path: Path) -> None:
    path = written(tmp_path, "seeds = [0]\n[[vary]]\nmethods = ['pcgrad']\nset = {'training.beta' = [0.1]}")
    config = read_study(path)
    assert len(cells_of(config)) == len(cells_of(config.model_copy(update={"vary": ()})))
