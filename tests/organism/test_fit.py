"""The training loop of the organism's networks, and its tokenizer."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bifrons.organism.clip import build_clip_tokenizer
from bifrons.organism.fit import Loss, Stage, fit
from bifrons.organism.janus.architecture import build_config
from bifrons.organism.pictures import inconsistency, patch_kinds, pixels
from bifrons.organism.words import SPECIAL_TOKENS, build_tokenizer
from bifrons.scenes import PROMPT_KINDS, QUESTION_KINDS, captions, draw_prompt, draw_scene, question

STAGE = Stage(name="line", steps=60, batch=8, learning_rate=0.05, warmup=5, average=0.9, checkpoint_every=20)


def line_loss(module: nn.Linear, die_at: int | None = None) -> Loss:
    def loss_at(step: int, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        if step == die_at:
            raise KeyboardInterrupt
        x = torch.from_numpy(rng.normal(size=(STAGE.batch, 3))).float()
        loss = (module(x) - x.sum(dim=1, keepdim=True)).square().mean()
        return loss, {"error": loss.item()}

    return loss_at


def fresh() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(3, 1)


def test_a_killed_stage_resumes_to_the_same_weights(tmp_path: Path) -> None:
    """Undisturbed, and killed at step 33 and run again: equal weights, bit for bit."""
    whole, broken = fresh(), fresh()
    fit(whole, STAGE, line_loss(whole), seed=1, out=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        fit(broken, STAGE, line_loss(broken, die_at=33), seed=1, out=tmp_path / "broken")
    again = fresh()
    fit(again, STAGE, line_loss(again), seed=1, out=tmp_path / "broken")
    assert torch.equal(whole.weight, again.weight) and torch.equal(whole.bias, again.bias)


def test_it_learns_and_logs(tmp_path: Path) -> None:
    """The sum of three numbers is learned; the log's last line holds the last step and its figures."""
    module = fresh()
    fit(module, STAGE, line_loss(module), seed=1, out=tmp_path, measure=lambda: {"bias": module.bias.item()})
    last = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    assert last["step"] == 60 and last["stage"] == "line" and "bias" in last
    assert module.weight.detach().numpy() == pytest.approx(np.ones((1, 3)), abs=0.2)


def test_a_loss_that_is_no_number_stops_the_stage(tmp_path: Path) -> None:
    module = fresh()
    with pytest.raises(FloatingPointError, match="line: the loss is nan at step 0"):
        fit(module, STAGE, lambda step, rng: (module.weight.sum() * float("nan"), {}), seed=1, out=tmp_path)


@pytest.mark.slow
def test_the_tokenizer_loses_nothing_of_the_world() -> None:
    """Every caption, question, answer and prompt of 100 scenes decodes to itself, without an unknown word."""
    tokenizer = build_tokenizer()
    rng = np.random.default_rng(123)
    for _ in range(100):
        scene = draw_scene(rng)
        asked = [question(scene, kind, rng) for kind in (*QUESTION_KINDS, "presence")]
        texts = [*captions(scene, rng), *(t for q in asked for t in (q.text, q.answer, q.answer_in_detail))]
        texts += [draw_prompt(kind, rng)[0] for kind in PROMPT_KINDS]
        for text in texts:
            ids = tokenizer(text, add_special_tokens=False).input_ids
            assert tokenizer.unk_token_id not in ids, text
            assert tokenizer.decode(ids) == text


@pytest.mark.slow
def test_clip_texts_end_with_the_end_token() -> None:
    """CLIP pools at the end token, which must not have id 2: transformers takes that for a sign of old files."""
    tokenizer = build_clip_tokenizer()
    ids = tokenizer("a red circle").input_ids
    assert ids[-1] == tokenizer.eos_token_id != 2
    assert tokenizer.convert_tokens_to_ids(SPECIAL_TOKENS["eos"]) == tokenizer.eos_token_id


def test_the_configuration_is_untied_and_its_grids_agree() -> None:
    """Both sides of an image have 64 tokens; input and output embeddings are apart."""
    config = build_config(build_tokenizer())
    assert config.tie_word_embeddings is False
    assert config.vq_config.num_patches**2 == config.vision_config.num_image_tokens == 64


def test_equal_patches_get_one_number_and_inconsistency_measures_their_spread() -> None:
    """Latents that depend on the patch alone give 0; moving one copy of a patch gives more."""
    rng = np.random.default_rng(0)
    images = pixels([draw_scene(rng) for _ in range(4)])
    kinds = patch_kinds(images)
    assert kinds.shape == (4 * 64,)
    table = torch.randn(int(kinds.max()) + 1, 8)
    values = table[kinds].view(4, 8, 8, 8).permute(0, 3, 1, 2).clone()
    assert inconsistency(values, kinds).item() == pytest.approx(0, abs=1e-10)
    values[0, :, 0, 0] += 1
    assert inconsistency(values, kinds).item() > 1e-4
