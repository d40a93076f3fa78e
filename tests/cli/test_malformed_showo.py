"""Damaged Show-o checkpoints: each is one line that names the file and the key, exit code 2, and nothing is drawn."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from bifrons.cli import main

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))

from tiny_showo import text_tokenizer, write_checkpoint

WEIGHTS = "model.safetensors"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("showo") / "three").parent


def weights(folder: str, **changed: torch.Tensor | None) -> Callable[[Path], None]:
    """Replace, add or (None) remove tensors of a repository; `__` stands for a dot."""

    def broken(three: Path) -> None:
        stored = load_file(three / folder / WEIGHTS)
        for name, tensor in changed.items():
            stored.pop(name.replace("__", "."), None)
            if tensor is not None:
                stored[name.replace("__", ".")] = tensor
        save_file(stored, three / folder / WEIGHTS)

    return broken


def config(folder: str, **changed: Any) -> Callable[[Path], None]:
    def broken(three: Path) -> None:
        path = three / folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changed))

    return broken


def pickled(folder: str) -> Callable[[Path], object]:
    return lambda three: (three / folder / WEIGHTS).rename(three / folder / "pytorch_model.bin")


def another_tokenizer(three: Path) -> None:
    other: Any = text_tokenizer().__class__.from_pretrained(three / "phi-1_5")
    other.add_tokens(["<extra>"])
    other.save_pretrained(three / "phi-1_5")


def cut(three: Path) -> None:
    data = (three / "show-o" / WEIGHTS).read_bytes()
    (three / "show-o" / WEIGHTS).write_bytes(data[: len(data) // 2])


@pytest.mark.parametrize(
    ("broken", "named"),
    [
        (weights("show-o", showo__lm_head__bias=None), "lacks showo.lm_head.bias"),
        (
            weights("show-o", showo__model__layers__0__self_attn__q_layernorm__weight=None),
            "lacks showo.model.layers.0.self_attn.q_layernorm.weight",
        ),
        (weights("show-o", mm_projector__0__bias=torch.zeros(4)), "holds the unknown mm_projector.0.bias"),
        (weights("show-o", showo__lm_head__bias=torch.zeros(4)), "showo.lm_head.bias is of shape [4]"),
        (weights("magvitv2", encoder__quant_conv__bias=None), "lacks encoder.quant_conv.bias"),
        (weights("magvitv2", quantize__embedding=torch.ones(64, 6)), "64 codes of 6 bits, and by config.json of 32"),
        (weights("magvitv2", quantize__embedding=torch.ones(32, 5)), "quantize.embedding is not the signs of bits"),
        (pickled("show-o"), "pytorch_model.bin is pickle, which is not loaded; convert it once: python -c"),
        (pickled("magvitv2"), "pytorch_model.bin is pickle, which is not loaded; convert it once: python -c"),
        (cut, f"{WEIGHTS} is no whole safetensors file"),
        (config("show-o", codebook_size=64), "vocab_size is"),
        (config("magvitv2", bits=6), "codebook_size is 32, but the image tokenizer's 6 bits make 64 codes"),
        (config("magvitv2", channels=33), "a multiple of 32"),
        (config("magvitv2", bits="five"), "bits is 'five'"),
        (config("magvitv2", _class_name="VQModel"), "_class_name is 'VQModel', not 'MAGVITv2'"),
        (config("show-o", num_vq_tokens=15), "num_vq_tokens is 15, and codes stand on a square grid"),
        (config("show-o", image_size=48), "image_size is 48, but 16 codes of 2 pixels a side make an image of 8"),
        (config("show-o", num_vq_tokens="many"), "num_vq_tokens is 'many'"),
        (config("show-o", mask_token_id=7), "mask_token_id is 7"),
        (config("show-o", w_clip_vit=True), "w_clip_vit is true"),
        (config("show-o", llm_model_path=None), "llm_model_path is None"),
        (config("show-o", llm_model_path="nowhere"), "llm_model_path: no model 'nowhere'"),
        (config("phi-1_5", hidden_size="wide"), "is no configuration of Phi"),
        (config("show-o", _class_name="Another"), "model type 'Another' is not supported"),
        (another_tokenizer, "words"),
        (lambda three: (three / "phi-1_5" / "tokenizer.json").unlink(), "holds no tokenizer.json"),
        (lambda three: (three / "magvitv2" / "config.json").write_text("{"), "config.json: not JSON"),
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
    three, drawing = tmp_path / "three", tmp_path / "drawing.png"
    shutil.copytree(whole, three)
    for key, name in (("llm_model_path", "phi-1_5"), ("vq_model_name", "magvitv2")):
        config("show-o", **{key: str(three / name)})(three)
    broken(three)
    folder = str(three / "show-o")
    monkeypatch.setattr(sys, "argv", ["bifrons", "sample", "--model", folder, "--prompt", "one", "--out", str(drawing)])
    with pytest.raises(SystemExit) as stopped:
        main()
    errors = capsys.readouterr().err
    assert stopped.value.code == 2
    assert errors.startswith("bifrons: ") and errors.count("\n") == 1, errors
    assert named in errors and (folder in errors or str(three) in errors), errors
    assert not drawing.exists()
