"""How the Show-o organism learns: its words, rows, masks and bits, and what a few steps do."""

from __future__ import annotations

import copy
import io
import math
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bifrons.models import load
from bifrons.models.showo.estimator import mask_size
from bifrons.models.showo.load import from_network
from bifrons.models.showo.model import ShowoModel
from bifrons.organism.body import Asked, train_body
from bifrons.organism.fit import Stage
from bifrons.organism.pictures import pixels
from bifrons.organism.recipe import BodyStage, ShowoRecipe
from bifrons.organism.showo import build
from bifrons.organism.showo.architecture import fresh, start_codes
from bifrons.organism.showo.losses import generation_loss, hidden_places, hidden_states, understanding_rows
from bifrons.organism.showo.tokens import entropies, signs, train_tokens
from bifrons.records import Provenance, UnderstandingPair
from bifrons.scenes import QUESTION_KINDS, Scene, captions, draw_scene, question, render

TINY = ShowoRecipe(
    name="tiny",
    hidden_size=64,
    num_layers=1,
    intermediate_size=64,
    bits=5,
    **{
        name: Stage(name=name, steps=8, batch=4, learning_rate=2e-3, warmup=2, measure_every=100)
        for name in ("autoencoder", "consistency", "tokens", "decoder")
    },
)


@pytest.fixture(scope="module")
def model() -> ShowoModel:
    return fresh(TINY)


def scenes(count: int) -> list[Scene]:
    rng = np.random.default_rng(3)
    return [draw_scene(rng) for _ in range(count)]


def png(scene: Scene) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(render(scene)).save(buffer, format="PNG")
    return buffer.getvalue()


def test_no_word_of_a_prompt_is_unknown_or_cut(model: ShowoModel) -> None:
    """Questions with what Show-o puts around them, answers, and the longest captions within the text slots."""
    rng = np.random.default_rng(0)
    unknown = model.prompts.tokenizer.unk_token_id
    for scene in scenes(60):
        for kind in (*QUESTION_KINDS, "presence"):
            asked = question(scene, kind, rng)
            assert unknown not in [*model.prompts.understanding(asked.text), *model.prompts.response(asked.answer)]
            assert model.prompts.text(model.prompts.response(asked.answer)) == asked.answer
        for caption in captions(scene, rng):
            row = model.prompts.generation(caption)
            assert unknown not in row and len(row) == len(model.prompts.ids(caption)) + 3


def test_questions_in_one_row_are_questions_by_themselves(model: ShowoModel) -> None:
    """Log-probabilities of answers that share a row with others are those of the packed pair."""
    chosen = scenes(2)
    asked: list[Asked] = [
        [("what is in the picture?", "a big red circle top left."), ("how many objects are there?", "one object.")],
        [("is there a red circle?", "no.")],
    ]
    codes = model.network.tokenizer.encode(pixels(chosen))
    ids, positions, mask, targets = understanding_rows(model, codes, asked)
    logits = model.network.word_logits(model.network.hidden(ids, positions, mask))
    log_p = logits.log_softmax(dim=-1).gather(-1, targets.clamp_min(0)[..., None])[..., 0]
    found = (log_p * (targets >= 0)).sum(dim=1)
    pairs = [
        UnderstandingPair(
            id="", image=png(scene), question=text, chosen=answer, rejected="yes.", provenance=Provenance(builder="")
        )
        for scene, lessons in zip(chosen, asked, strict=True)
        for text, answer in lessons
    ]
    sums = model.log_probs(model.pack(pairs)).sums[:, 0]
    assert found.double().tolist() == pytest.approx([float(sums[0] + sums[1]), float(sums[2])], abs=1e-4)


def test_attention_written_out_is_the_models_own(model: ShowoModel) -> None:
    """Hidden states as in training are those of the model's attention, to what bfloat16 rounds, at positions that are
    read; afterwards the model attends as before.
    """
    codes = model.network.tokenizer.encode(pixels(scenes(2)))
    asked: list[Asked] = [[("what is in the picture?", "no.")], [("count the circles.", "there is one circle.")]]
    ids, positions, mask, targets = understanding_rows(model, codes, asked)
    usual = model.network.hidden(ids, positions, mask)
    assert torch.allclose(hidden_states(model, ids, positions, mask)[targets >= 0], usual[targets >= 0], atol=0.06)
    assert torch.equal(model.network.hidden(ids, positions, mask), usual)
    moved = model.network.hidden(ids, positions, torch.ones_like(mask))
    assert not torch.allclose(moved[targets >= 0], usual[targets >= 0], atol=0.06)


def test_masks_of_a_batch_spread_over_all_sizes() -> None:
    """As many places are hidden as at times in each of as many equal parts of 0..1; the places differ."""
    hidden = hidden_places(8, 64, np.random.default_rng(0))
    sizes = sorted(hidden.sum(dim=1).tolist(), reverse=True)
    bounds = [mask_size(part / 8, 64) for part in range(9)]
    assert all(high >= size >= low for high, size, low in zip(bounds[:-1], sizes, bounds[1:], strict=True))
    assert len({tuple(row) for row in hidden.tolist()}) == 8


def test_entropies_are_those_of_all_codes_written_out(model: ShowoModel) -> None:
    """Against a sum over the 32 codes of each kind, bit by bit."""
    raw = torch.randn(7, TINY.bits, generator=torch.Generator().manual_seed(0))
    on = torch.sigmoid(2 * raw).double()
    table = torch.stack(
        [
            torch.stack([p if bit else 1 - p for p, bit in zip(on.unbind(1), code, strict=True)]).prod(dim=0)
            for code in product((0, 1), repeat=TINY.bits)
        ],
        dim=1,
    )
    each, together = entropies(model.network.tokenizer, raw)
    assert float(each) == pytest.approx(float(-(table * table.log()).sum(dim=1).mean()), abs=1e-5)
    mean = table.mean(dim=0)
    assert float(together) == pytest.approx(float(-(mean * mean.log()).sum()), abs=1e-5)


def test_sure_bits_have_no_entropy_and_all_codes_the_most(model: ShowoModel) -> None:
    sure = 30 * model.network.tokenizer.latents(torch.arange(2**TINY.bits))
    each, together = entropies(model.network.tokenizer, sure)
    assert float(each) == pytest.approx(0, abs=1e-6)
    assert float(together) == pytest.approx(TINY.bits * math.log(2), abs=1e-5)


def test_signs_pass_gradients_straight_through() -> None:
    values = torch.tensor([[0.2, -0.1, 0.0, 0.4]]).view(1, 4, 1, 1).requires_grad_(True)
    made = signs(values)
    assert made.flatten().tolist() == pytest.approx([0.5, -0.5, -0.5, 0.5])
    made.sum().backward()
    assert values.grad is not None and values.grad.flatten().tolist() == [1.0] * 4


def test_codes_that_share_bits_start_alike(model: ShowoModel) -> None:
    """One differing bit of five leaves vectors nearer than five do, in the embedding and in the image head."""
    own = copy.deepcopy(model.network)
    start_codes(own)
    for rows in (own.showo.model.embed_tokens.weight[own.code_rows], own.image_head.weight):
        near = (rows[0::2] - rows[1::2]).norm(dim=1).mean()
        far = (rows - rows.flip(0)).norm(dim=1).mean()
        assert near < 0.8 * far


@pytest.mark.slow
def test_a_few_steps_teach_and_the_files_load(model: ShowoModel, tmp_path: Path) -> None:
    """Tokens and body in a few steps each: both losses fall, the tokenizer stays as it is while the body learns, and
    the written folder loads with the codes and the image head that were trained.
    """
    own = from_network(copy.deepcopy(model.network), model.prompts.tokenizer, name="tiny")
    train_tokens(own.network.tokenizer, TINY, tmp_path / "out")
    before = {key: tensor.clone() for key, tensor in own.network.tokenizer.state_dict().items()}
    images = pixels(scenes(8))
    prompts = [captions(scene, np.random.default_rng(0))[0] for scene in scenes(8)]
    loss = [float(generation_loss(own, images, prompts, np.random.default_rng(0)))]
    stage = Stage(name="body", steps=12, batch=8, learning_rate=5e-3, warmup=2, measure_every=100)
    lessons = BodyStage(stage=stage, reading_share=1.0, questions_each=2)
    train_body(own, own.network, own.network.tokenizer, build.losses(own), lessons, seed=0, out=tmp_path / "out")
    loss.append(float(generation_loss(own, images, prompts, np.random.default_rng(0))))
    assert loss[1] < loss[0] - 0.5
    assert all(torch.equal(tensor, before[key]) for key, tensor in own.network.tokenizer.state_dict().items())
    build.write(own, tmp_path / "tiny")
    read = load(str(tmp_path / "tiny"), dtype=torch.float32, device="cpu")
    assert isinstance(read, ShowoModel)
    pictures = [render(scene) for scene in scenes(4)]
    assert read.encode(pictures) == own.encode(pictures)
    head = own.network.image_head.weight.to(torch.bfloat16).float()
    assert torch.equal(read.network.image_head.weight, head)
    assert read.drawing == own.drawing
