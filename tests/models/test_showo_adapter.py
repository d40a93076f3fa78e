"""Show-o behind the protocol: the checks of any model, its adapter, answers, merging, cached references."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_janus import picture, understanding_pairs
from tiny_showo import generation_pairs, make_model
from torch import Tensor

from bifrons import align, load
from bifrons.models.sampling import left_padded
from bifrons.models.showo.answering import Reader
from bifrons.models.showo.estimator import MaskEstimator
from bifrons.models.showo.model import ShowoModel
from bifrons.protocol import AdapterSettings, Sampling
from bifrons.records import read_steps
from bifrons.testing import check_model, move
from bifrons.training.reference import reference_log_probs

SETTINGS = AdapterSettings(rank=4, alpha=8.0, dropout=0.1)


@pytest.fixture
def adapted() -> ShowoModel:
    model = make_model()
    model.add_adapter(SETTINGS)
    move(model)
    return model


def both(model: ShowoModel) -> Tensor:
    with torch.no_grad():
        return torch.cat(
            [model.log_probs(model.pack(pairs)).sums for pairs in (generation_pairs(), understanding_pairs(2))]
        )


@pytest.mark.parametrize("weighting", ["maskgit", "elbo"])
def test_check_model(weighting: str) -> None:
    check_model(make_model(estimator=MaskEstimator(num_masks=2, weighting=weighting)))  # type: ignore[arg-type]


def test_the_adapter_sits_on_every_projection_of_the_body(adapted: ShowoModel) -> None:
    """Of both layers, fc1 and fc2 too, and on nothing of the image tokenizer."""
    names = {parameter.name.split(".lora_")[0] for parameter in adapted.shared_parameters()}
    ends = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.dense", "mlp.fc1", "mlp.fc2")
    wanted = {f"layers.{layer}.{end}" for layer in range(2) for end in ends}
    assert {".".join(name.split(".")[-4:]) for name in names} == wanted
    assert all("tokenizer" not in name for name in names)


def test_full_fine_tuning_trains_the_same_maps() -> None:
    model = make_model()
    model.add_adapter(AdapterSettings(full=True, dropout=0.0))
    assert len(model.shared_parameters()) == 2 * 6 * 2 and {p.layer for p in model.shared_parameters()} == {0, 1}


def test_bf16_keeps_heads_and_codes_in_fp32() -> None:
    model = make_model(torch.bfloat16)
    assert model.identity.facts["dtype"] == "bfloat16" and model.network.image_head.weight.dtype == torch.float32
    assert model.encode([picture(0)]) == make_model().encode([picture(0)])
    full = both(make_model())
    assert float(((both(model) - full) / full).abs().max()) < 0.05


def test_answers_are_those_of_the_log_probabilities() -> None:
    """Greedy answers, read with a cache in a batch of different lengths, are each step's likeliest word."""
    model = make_model()
    pairs = understanding_pairs(3)
    images = [pairs[0].image, pairs[1].image, pairs[0].image]
    answers = model.answer(images, [pair.question for pair in pairs], Sampling(temperature=0.0, max_new_tokens=6))
    for image, pair, answer in zip(images, pairs, answers, strict=True):
        ended = (model.prompts.end_id,) if answer.finished else ()
        assert len(answer.tokens) + len(ended) >= 1
        own = replace(pair, image=image, chosen="x", chosen_tokens=answer.tokens)
        packed = model.pack([own])
        with torch.no_grad():
            logits = model.head(packed, model.hidden_at(packed))[packed.sequence == 0]
        likeliest = tuple(logits.argmax(dim=-1).tolist())
        assert likeliest[: len(answer.tokens) + len(ended)] == (*answer.tokens, *ended)


def test_reading_word_by_word_gives_the_states_of_whole_rows() -> None:
    """Questions of different lengths behind two images, padded in one batch; then rows that leave and repeat."""
    model, pairs = make_model(), understanding_pairs(3)
    packed = model.pack([replace(pair, chosen_tokens=(5, 6, 7), chosen="x") for pair in pairs])
    with torch.no_grad():
        whole = model.hidden_at(packed)
        wanted = torch.stack([whole[packed.sequence == 2 * row] for row in range(3)])  # [3, 4 states, width]
        images = [[model.layout.read, *model.layout.image(model.codes(pair.image))] for pair in pairs]
        reader = Reader(model.network, torch.tensor(images))
        ids, valid = left_padded([model.prompts.understanding(pair.question) for pair in pairs], model.layout.pad)
        found = [reader.read(ids, valid)]
        assert not bool(valid.all()), "the questions have different lengths"
        found += [reader.read(torch.full((3, 1), 5), torch.ones(3, 1, dtype=torch.bool))]
        rows = torch.tensor([2, 0, 2])
        reader.keep(rows)
        later = [reader.read(torch.full((3, 1), token), torch.ones(3, 1, dtype=torch.bool)) for token in (6, 7)]
    torch.testing.assert_close(torch.stack(found, dim=1), wanted[:, :2], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(torch.stack(later, dim=1), wanted[rows, 2:], rtol=1e-4, atol=1e-4)


def test_a_merged_checkpoint_is_the_model(adapted: ShowoModel, tmp_path: Path) -> None:
    """Written with its two companions inside, and moved as one folder."""
    wanted = both(adapted)
    lost = adapted.save_merged(tmp_path / "merged")
    (tmp_path / "merged").rename(tmp_path / "elsewhere")
    merged = load(str(tmp_path / "elsewhere"), device="cpu")
    assert isinstance(merged, ShowoModel) and lost < 1e-6
    torch.testing.assert_close(both(merged), wanted, rtol=1e-5, atol=1e-4)
    assert merged.drawing == adapted.drawing
    assert merged.encode([picture(0)]) == adapted.encode([picture(0)])
    with pytest.raises(ValueError, match="has no adapter"):
        merged.save_merged(tmp_path / "again")


def test_references_are_cached_by_the_masks(tmp_path: Path) -> None:
    """The same estimator reads what it wrote; another one writes its own, and sums of another are refused."""
    model, pairs = make_model(), generation_pairs()
    first, noise = reference_log_probs(model, "generation", pairs, tmp_path)
    assert noise == 0 and len(list(tmp_path.iterdir())) == 1
    again, _ = reference_log_probs(make_model(), "generation", pairs, tmp_path)
    assert torch.equal(again, first) and len(list(tmp_path.iterdir())) == 1
    model.estimator = MaskEstimator(seed=1)
    other, noise = reference_log_probs(model, "generation", pairs, tmp_path)
    assert noise == 0 and len(list(tmp_path.iterdir())) == 2 and not torch.equal(other, first)
    mine, others = sorted(tmp_path.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    others.write_bytes(mine.read_bytes())
    with pytest.raises(ValueError, match="nats away from its reference"):
        reference_log_probs(model, "generation", pairs, tmp_path)
    assert model.identity.scoring["mask_seed"] == 1


def test_training_records_the_spread(tmp_path: Path) -> None:
    """Of drawings alone: answers have exact log-probabilities."""
    settings = {"adapter": SETTINGS, "steps": 4, "pairs_per_step": 2, "learning_rate": 1e-3, "progress": False}
    pairs = {"understanding": understanding_pairs(3), "generation": generation_pairs()}
    run = align(make_model(), **pairs, strategy="pcgrad", **settings, out=tmp_path / "run")  # type: ignore[arg-type]
    for step in run.steps:
        assert step.understanding is not None and step.understanding.spread is None
        assert step.generation is not None and (step.generation.spread or 0) > 0
    first = run.steps[0]
    assert first.generation is not None and first.generation.spread is not None
    assert abs(first.generation.margin) < 1e-5 < first.generation.spread, "policy and reference have the same masks"
    assert first.gramian is not None and not first.gramian.degenerate
    assert run.steps[-1].generation is not None and run.steps[-1].generation.margin != 0
    assert read_steps(tmp_path / "run" / "steps.jsonl") == run.steps
