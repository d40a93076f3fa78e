"""Damaged checkpoints: each is one line that names the folder and the part, exit code 2, and nothing is drawn."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from bifrons.cli import main

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))

from tiny_janus import parts

WEIGHTS = "model.safetensors"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("weights") / "tiny"
    network, processor = parts()
    network.save_pretrained(made)
    processor.save_pretrained(made)
    return made


def without_a_key(folder: Path) -> None:
    weights = load_file(folder / WEIGHTS)
    del weights["lm_head.weight"], weights["model.generation_head.proj_out.weight"]
    save_file(weights, folder / WEIGHTS, {"format": "pt"})


def without_image_tokens(folder: Path) -> None:
    """The tokenizer of a text model: its files name no token for an image."""
    for file in folder.glob("*.json"):
        settings = json.loads(file.read_text())
        if isinstance(settings, dict) and file.name in ("tokenizer_config.json", "special_tokens_map.json"):
            for key in (
                "image_token",
                "boi_token",
                "eoi_token",
                "extra_special_tokens",
                "model_specific_special_tokens",
            ):
                settings.pop(key, None)
            file.write_text(json.dumps(settings))


def pickled(folder: Path) -> None:
    (folder / WEIGHTS).rename(folder / "pytorch_model.bin")


def cut(folder: Path) -> None:
    data = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(data[: len(data) // 2])


@pytest.mark.parametrize(
    ("broken", "named"),
    [
        (without_a_key, "lacks lm_head.weight, model.generation_head.proj_out.weight"),
        (without_image_tokens, "its tokenizer has no image tokens"),
        (pickled, "holds no safetensors weights"),
        (cut, f"{WEIGHTS} is no whole safetensors file"),
        (lambda folder: (folder / "config.json").write_text("{"), "config.json: not JSON"),
        (lambda folder: (folder / "config.json").write_text('{"model_type": "llama"}'), "model type 'llama'"),
        (lambda folder: (folder / "config.json").unlink(), "holds no config.json"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "holds no tokenizer.json"),
    ],
)
def test_a_damaged_checkpoint_is_refused(
    broken: Callable[[Path], object],
    named: str,
    whole: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, drawing = tmp_path / "mine", tmp_path / "drawing.png"
    shutil.copytree(whole, folder)
    broken(folder)
    monkeypatch.setattr(
        sys, "argv", ["bifrons", "sample", "--model", str(folder), "--prompt", "a circle", "--out", str(drawing)]
    )
    with pytest.raises(SystemExit) as stopped:
        main()
    errors = capsys.readouterr().err
    assert stopped.value.code == 2
    assert errors.startswith("bifrons: ") and errors.count("\n") == 1, errors
    assert str(folder) in errors and named in errors, errors
    assert not drawing.exists()
