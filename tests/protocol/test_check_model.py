"""The parity tests for any model: the Janus adapter passes them, and each way of being wrong is named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from tiny_janus import SETTINGS, base_head, generation_pairs, make_model, sums_of, understanding_pairs

from bifrons.models.janus.model import JanusModel
from bifrons.protocol import Drawing, LogProbs, Sampling, TokenLogProbs
from bifrons.protocol.samples import sample_pairs
from bifrons.testing import check_model

UNDERSTANDING, GENERATION = understanding_pairs(3), generation_pairs(3)


def test_janus_passes_and_is_left_as_it_was(model: JanusModel) -> None:
    """Without an adapter, to the last bit."""
    before = sums_of(model, GENERATION)
    check_model(model, UNDERSTANDING, GENERATION)
    assert model.adapted is None
    assert torch.equal(sums_of(model, GENERATION), before)


@pytest.mark.slow
def test_janus_passes_in_bf16() -> None:
    """With the tolerance of its precision."""
    check_model(make_model(torch.bfloat16), UNDERSTANDING, GENERATION, tolerance=2e-2)


@pytest.mark.slow
def test_a_model_alone_is_enough(model: JanusModel) -> None:
    """Pairs are made on the spot: valid for this model, of different lengths, and telling enough to find a mistake."""
    understanding, generation = sample_pairs(model)
    assert len({tuple(model.count_tokens(pair)) for pair in understanding}) > 1
    assert len({len(model.prompts.generation(pair.prompt)) for pair in generation}) > 1
    for pair in generation:
        model.check_codes(pair.id, pair.chosen_codes)
        model.check_codes(pair.id, pair.rejected_codes)
    assert sample_pairs(model) == (understanding, generation)
    check_model(model)
    with pytest.raises(AssertionError, match=BROKEN[LostMask]):
        check_model(LostMask(model.network, model.processor, model.identity))


def test_a_model_of_one_code_has_no_pairs(model: JanusModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """No two of its drawings differ, and what cannot differ cannot be preferred."""
    one = (3,) * model.num_image_tokens
    monkeypatch.setattr(model, "encode", lambda images: [one] * len(images))
    monkeypatch.setattr(model, "draw", lambda prompts, sampling: [Drawing(one, np.zeros((1, 1, 3), np.uint8))])
    with pytest.raises(ValueError, match="one code only; give pairs of your own"):
        check_model(model)


def test_one_pair_says_nothing(model: JanusModel) -> None:
    with pytest.raises(ValueError, match="give two pairs a face; 1 and 3"):
        check_model(model, UNDERSTANDING[:1], GENERATION)


def test_a_model_with_an_adapter_is_not_touched(model: JanusModel) -> None:
    model.add_adapter(SETTINGS)
    kept = model.adapted
    with pytest.raises(ValueError, match="already has an adapter"):
        check_model(model, UNDERSTANDING, GENERATION)
    assert model.adapted is kept


def causal_mask(packed: Any) -> Any:
    if packed.mask is None:
        return packed
    length = packed.ids.shape[1]
    return replace(packed, mask=torch.ones(length, length, dtype=torch.bool).tril().expand_as(packed.mask).clone())


class LostMask(JanusModel):
    """The rejected answer sees the chosen one."""

    def log_probs(self, packed: Any) -> LogProbs:
        return super().log_probs(causal_mask(packed))


class PaddedLeft(JanusModel):
    """Rows of drawings are padded on the left and read as if they were not."""

    def log_probs(self, packed: Any) -> LogProbs:
        found = super().log_probs(packed)
        return LogProbs(found.sums + 1e-2 * packed.ids.shape[1], found.counts)


class MeanOfTokens(JanusModel):
    """A mean where a sum is asked for, in the precision of the body."""

    def log_probs(self, packed: Any) -> LogProbs:
        found = super().log_probs(packed)
        return LogProbs((found.sums / found.counts).bfloat16(), found.counts)


class ForgetsTheEnd(JanusModel):
    """`count_tokens` without the end token."""

    def count_tokens(self, pair: Any) -> tuple[int, int]:
        chosen, rejected = super().count_tokens(pair)
        return chosen - 1, rejected - 1


class PlacesFromOne(JanusModel):
    """Tokens of a response counted from 1: a cut then loses its last token."""

    def token_log_probs(self, packed: Any) -> TokenLogProbs:
        found = super().token_log_probs(packed)
        return replace(found, position=found.position + 1)


class OtherTokens(JanusModel):
    """`log_probs` that are not the sums of the tokens' own."""

    def token_log_probs(self, packed: Any) -> TokenLogProbs:
        found = super().token_log_probs(packed)
        return replace(found, values=found.values.roll(1))

    def log_probs(self, packed: Any) -> LogProbs:
        return super().token_log_probs(packed).summed()


class ColumnsFirst(JanusModel):
    """The codes of a drawing numbered by another order than the one that they are drawn in."""

    def token_log_probs(self, packed: Any) -> TokenLogProbs:
        found = super().token_log_probs(packed)
        if packed.task == "understanding":
            return found
        return replace(found, position=found.position % 8 * 8 + found.position // 8)


class FirstOnly(JanusModel):
    def log_probs(self, packed: Any) -> LogProbs:
        found = super().log_probs(packed)
        return LogProbs(found.sums[:, :1], found.counts[:, :1])


class Probabilities(JanusModel):
    """The sign of a loss."""

    def log_probs(self, packed: Any) -> LogProbs:
        found = super().log_probs(packed)
        return LogProbs(-found.sums, found.counts)


class EstimatesInSilence(JanusModel):
    """Log-probabilities said to be estimates, of a kind that no key will know."""

    def log_probs(self, packed: Any) -> LogProbs:
        return replace(super().log_probs(packed), spread=torch.ones(packed.num_pairs))


class StartsMoved(JanusModel):
    """A fresh adapter that is no identity."""

    def add_adapter(self, settings: Any) -> None:
        super().add_adapter(settings)
        for parameter in self.shared_parameters():
            parameter.tensor.data += 0.05


class NoBase(JanusModel):
    """`base_only` that leaves the adapter on."""

    @contextmanager
    def base_only(self) -> Iterator[None]:
        yield


class BaseWithTrainedHead(JanusModel):
    """`base_only` that takes LoRA out and leaves the trained head in."""

    @contextmanager
    def base_only(self) -> Iterator[None]:
        wrapper = self.core.generation_head
        with super().base_only():
            kept = wrapper.original_module
            wrapper.original_module = wrapper.modules_to_save["default"]
            try:
                yield
            finally:
                wrapper.original_module = kept


class FreezesAfterBase(JanusModel):
    @contextmanager
    def base_only(self) -> Iterator[None]:
        with super().base_only():
            yield
        self.network.requires_grad_(False)


class LowPrecision(JanusModel):
    """The head's copy in bf16, as PEFT leaves it."""

    def add_adapter(self, settings: Any) -> None:
        super().add_adapter(settings)
        for _, parameter in self.head_parameters():
            parameter.data = parameter.data.bfloat16()

    def head(self, task: str, hidden: Any) -> Any:
        if task == "understanding":
            return super().head(task, hidden)
        return self.core.generation_head(hidden.bfloat16()).float()


class HeadIsShared(JanusModel):
    """The head counted among the shared parameters, and so in the Gramian."""

    def shared_parameters(self) -> Any:
        from bifrons.gradients import SharedParameter

        return [*super().shared_parameters(), *(SharedParameter(n, p, 0) for n, p in self.head_parameters())]


class NothingShared(JanusModel):
    def shared_parameters(self) -> Any:
        return []


class LayersFromOne(JanusModel):
    def shared_parameters(self) -> Any:
        return [replace(p, layer=p.layer + 1) for p in super().shared_parameters()]


class TouchesTheHead(JanusModel):
    """A gradient of zeros on the head from understanding: weight decay then moves it."""

    def log_probs(self, packed: Any) -> LogProbs:
        found = super().log_probs(packed)
        nothing = sum((p * 0).sum() for p in self.core.generation_head.parameters())
        return LogProbs(found.sums + nothing, found.counts)


class AlwaysDrops(JanusModel):
    """Dropout on from the start, as `train()` alone would leave it."""

    def add_adapter(self, settings: Any) -> None:
        from bifrons.models.adapter import dropouts

        super().add_adapter(settings)
        for module in dropouts(self.trained()):
            module.p = settings.dropout


class NeverDrops(JanusModel):
    @contextmanager
    def dropout(self, share: float) -> Iterator[None]:
        yield


class ForgetsItsNoise(JanusModel):
    """Activations computed again with other noise than those that the loss was made of."""

    def checkpoint_gradients(self, on: bool) -> None:
        super().checkpoint_gradients(on)
        if on:
            from functools import partial

            from torch.utils.checkpoint import checkpoint

            for layer in self.core.language_model.layers:
                layer._gradient_checkpointing_func = partial(checkpoint, use_reentrant=False, preserve_rng_state=False)


class MovesInHalf(JanusModel):
    """`to` that takes all to the body's dtype, as it would be asked to before there is an adapter."""

    def to(self, device: Any) -> None:
        self.network.to(device, torch.bfloat16)


class LeavesTheAdapter(JanusModel):
    """`to` that takes the base along and starts a fresh adapter there."""

    def to(self, device: Any) -> None:
        super().to(device)
        self.remove_adapter()
        self.add_adapter(SETTINGS)


class KeepsTheTrainedHead(JanusModel):
    """`remove_adapter` as PEFT's own `unload` does it."""

    def remove_adapter(self) -> None:
        if self.adapted is not None:
            trained = self.core.generation_head.modules_to_save["default"]
            super().remove_adapter()
            self.core.generation_head = trained


class LosesTheHead(JanusModel):
    """`load_adapter` that brings LoRA back and the head not."""

    def load_adapter(self, folder: Any) -> None:
        super().load_adapter(folder)
        start = list(base_head(self).parameters())
        for (_, parameter), value in zip(self.head_parameters(), start, strict=True):
            parameter.data.copy_(value)


class NoiseByPlace(JanusModel):
    """Noise that belongs to a place in the batch and not to the item."""

    def draw(self, prompts: Sequence[str], sampling: Sampling = Sampling(), report: Any = None) -> Any:
        size = sampling.batch_size
        return super().draw(prompts, replace(sampling, items=tuple(i % size for i in range(len(prompts)))))


class NoiseOfTheClock(JanusModel):
    calls = 0

    def answer(self, images: Any, questions: Any, sampling: Sampling = Sampling(), report: Any = None) -> Any:
        self.calls += 1
        return super().answer(images, questions, replace(sampling, seed=self.calls))


class NoiseOfTheIndex(JanusModel):
    """The names of items are not looked at."""

    def draw(self, prompts: Sequence[str], sampling: Sampling = Sampling(), report: Any = None) -> Any:
        return super().draw(prompts, replace(sampling, items=None))


class OneSeed(JanusModel):
    def draw(self, prompts: Sequence[str], sampling: Sampling = Sampling(), report: Any = None) -> Any:
        return super().draw(prompts, replace(sampling, seed=0))


class HalfADrawing(JanusModel):
    def encode(self, images: Any, batch_size: int = 32) -> Any:
        return [row[: len(row) // 2] for row in super().encode(images, batch_size)]


class FloatingPixels(JanusModel):
    def decode(self, codes: Any, batch_size: int = 32) -> Any:
        return [pixels / 255 for pixels in super().decode(codes, batch_size)]


BROKEN: dict[type[JanusModel], str] = {
    LostMask: "understanding: chosen and rejected have to change places",
    PaddedLeft: "pairs packed together have to give what each gives alone",
    MeanOfTokens: "have to be summed in float64",
    ForgetsTheEnd: "log_probs and count_tokens have to count the same tokens",
    PlacesFromOne: "understanding: the tokens of each response have to be numbered from 0",
    OtherTokens: "token_log_probs have to add up to log_probs",
    ColumnsFirst: "generation: the tokens have to be the codes of the drawing, in raster order",
    FirstOnly: "of shape \\[pairs, 2\\]",
    Probabilities: "finite and below 0",
    EstimatesInSilence: "identity.scoring has to say of which kind",
    StartsMoved: "a fresh adapter has to leave the model as it is",
    NoBase: "base_only has to leave the adapter out",
    BaseWithTrainedHead: "generation: the base may not depend on the adapter",
    FreezesAfterBase: "trainable",
    LowPrecision: "every parameter of the head has to be trainable and fp32",
    HeadIsShared: "head and shared parameters have to be apart",
    NothingShared: "shared_parameters has to name what both tasks train",
    LayersFromOne: "layers have to be counted from 0",
    TouchesTheHead: "understanding has to leave the head without a gradient",
    AlwaysDrops: "outside `dropout` nothing may be dropped",
    NeverDrops: "within `dropout` the adapter has to drop something",
    ForgetsItsNoise: "checkpoint_gradients has to leave every gradient as it is",
    MovesInHalf: "after `to` what trains has to lie on that device, and still be trainable and fp32",
    LeavesTheAdapter: "`to` has to leave the model as it is, the adapter included",
    KeepsTheTrainedHead: "generation: removing the adapter has to give the base back",
    LosesTheHead: "generation: an adapter has to come back from disk",
    NoiseByPlace: "the batch may not change a drawing",
    NoiseOfTheClock: "answers have to repeat with their seed",
    NoiseOfTheIndex: "items of one name and one prompt",
    OneSeed: "another seed has to give other drawings",
    HalfADrawing: "encode has to give num_image_tokens codes",
    FloatingPixels: "decode has to give pixels",
}


@pytest.mark.slow
@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.__name__)
def test_a_broken_model_is_named(model: JanusModel, broken: type[JanusModel]) -> None:
    """Each of these is a mistake that trains, samples or saves without an error of its own."""
    wrong = broken(model.network, model.processor, model.identity)
    with pytest.raises(AssertionError, match=BROKEN[broken]):
        check_model(wrong, UNDERSTANDING[:2], GENERATION[:2])
