"""What a study file may not say: each mistake is one line that names the file and the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from bifrons.study import StudyConfig, read_study
from bifrons.study.cells import cells_of

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
        ("seeds = [", "not TOML"),
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


@pytest.mark.parametrize("path", sorted(STUDIES.glob("*.toml")), ids=lambda path: path.stem)
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
