"""The parity tests that any model behind the protocol must pass: run `check_model` on an adapter of your own.

Each check states one property that training, curation or evaluation relies on, and that goes wrong without a sound: a
lost mask, a head in low precision, noise that depends on the batch. They need no reference implementation.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from bifrons.losses import margins
from bifrons.protocol import AdapterSettings, Sampling, UnifiedModel
from bifrons.protocol.samples import sample_pairs
from bifrons.records import GenerationPair, UnderstandingPair

SETTINGS = AdapterSettings(rank=4, alpha=8.0, dropout=0.2)
MOVED = 0.05  # standard deviation of what the checks put where training would move the adapter


def check_model(
    model: UnifiedModel,
    understanding: Sequence[UnderstandingPair] | None = None,
    generation: Sequence[GenerationPair] | None = None,
    *,
    tolerance: float = 1e-5,
) -> None:
    """Raises AssertionError with a sentence for the first property that does not hold.

    Without pairs it makes small ones. Your own show more: give at least two a face, of different lengths, since padding
    is where packing goes wrong. `tolerance` is the share
    of a log-probability that rounding may move; 1e-5 suits fp32, 2e-2 bf16. That the batch changes no sample is
    promised, and so checked, in fp32 alone. The model is left without an adapter. Raises ValueError for fewer pairs and
    for a model that already has an adapter.
    """
    if understanding is None or generation is None:
        samples = sample_pairs(model)
        understanding, generation = understanding or samples[0], generation or samples[1]
    if len(understanding) < 2 or len(generation) < 2:
        raise ValueError(f"give two pairs a face; {len(understanding)} and {len(generation)} say nothing about batches")
    model.add_adapter(SETTINGS)
    try:
        check_parameters(model, understanding, generation)
        for pairs in (understanding, generation):
            check_log_probs(model, pairs)
            check_packing(model, pairs, tolerance)
            check_token_log_probs(model, pairs, tolerance)
            check_fresh_adapter(model, pairs, tolerance)
            check_divergence(model, pairs, tolerance, moved=False)
        move(model)
        for pairs in (understanding, generation):
            check_dropout(model, pairs)
            check_packing(model, pairs, tolerance)
            check_base_only(model, pairs, tolerance)
            check_recomputation(model, pairs, tolerance)
            check_divergence(model, pairs, tolerance, moved=True)
        check_device(model, [understanding, generation], tolerance)
        check_files(model, [understanding, generation], tolerance)
        check_sampling(model, understanding, generation)
    finally:
        model.remove_adapter()
    check_images(model, generation)


def sums_of(model: UnifiedModel, pairs: Sequence[Any]) -> Tensor:
    """[pairs, 2], packed together."""
    with torch.no_grad():
        return model.log_probs(model.pack(pairs)).sums.cpu()


def check_log_probs(model: UnifiedModel, pairs: Sequence[Any]) -> None:
    """Sums over tokens, in fp32, of as many tokens as the model says."""
    with torch.no_grad():
        found = model.log_probs(model.pack(pairs))
    task = name_of(pairs)
    assert found.sums.shape == found.counts.shape == (len(pairs), 2), (
        f"{task}: log_probs has to give sums and counts of shape [pairs, 2], chosen first"
    )
    assert found.sums.dtype == torch.float64, f"{task}: log-probabilities have to be summed in float64"
    assert bool(found.sums.isfinite().all()) and bool((found.sums < 0).all()), (
        f"{task}: log-probabilities have to be finite and below 0"
    )
    if found.spread is not None:
        assert found.spread.shape == (len(pairs),), f"{task}: spread is of chosen minus rejected, one value a pair"
        assert model.identity.scoring, (
            f"{task}: log-probabilities are estimates, so identity.scoring has to say of which kind: runs and cached "
            "references of another kind would pass for these"
        )
    counted = [list(model.count_tokens(pair)) for pair in pairs]
    assert found.counts.tolist() == counted, f"{task}: log_probs and count_tokens have to count the same tokens"


def check_packing(model: UnifiedModel, pairs: Sequence[Any], tolerance: float) -> None:
    """A pair's values are its own, whatever stands beside it."""
    alone = torch.cat([sums_of(model, [pair]) for pair in pairs])
    task = name_of(pairs)
    assert close(sums_of(model, pairs), alone, tolerance), (
        f"{task}: pairs packed together have to give what each gives alone"
    )
    reversed_pairs = list(pairs)[::-1]
    assert close(sums_of(model, reversed_pairs).flip(0), alone, tolerance), (
        f"{task}: the order of pairs has to change nothing"
    )
    swapped = sums_of(model, [turned(pair) for pair in pairs])
    assert close(swapped.flip(1), alone, tolerance), (
        f"{task}: chosen and rejected have to change places with their values: neither may see the other"
    )


def check_token_log_probs(model: UnifiedModel, pairs: Sequence[Any], tolerance: float) -> None:
    """Sums over the first tokens of a response are sums of these, so each has to know its place and, where it says
    that it is causal, see no later one.
    """
    with torch.no_grad():
        packed = model.pack(pairs)
        found, sums = model.token_log_probs(packed), model.log_probs(packed).sums.cpu()
    task = name_of(pairs)
    assert close(found.summed().sums.cpu(), sums, tolerance), (
        f"{task}: token_log_probs have to add up to log_probs, response by response"
    )
    counted = [count for pair in pairs for count in model.count_tokens(pair)]
    places = [sorted(found.position[found.sequence == i].tolist()) for i in range(2 * len(pairs))]
    assert places == [list(range(count)) for count in counted], (
        f"{task}: the tokens of each response have to be numbered from 0, without a gap"
    )
    if isinstance(pairs[0], GenerationPair):
        drawn = [
            found.tokens[found.sequence == 2 * i][found.position[found.sequence == 2 * i].argsort()]
            for i in range(len(pairs))
        ]
        assert [tuple(row.tolist()) for row in drawn] == [p.chosen_codes for p in pairs], (
            "generation: the tokens have to be the codes of the drawing, in raster order"
        )
    half = counted[0] // 2
    told = [i for i, p in enumerate(pairs) if isinstance(p, GenerationPair) and later(p, half) != p.chosen_codes]
    if told and found.causal:
        mixed = [
            replace(pairs[i], chosen_codes=later(pairs[i], half), rejected_codes=pairs[i].chosen_codes) for i in told
        ]
        with torch.no_grad():
            other = model.token_log_probs(model.pack(mixed)).summed(half).sums[:, 0]
        assert close(other.cpu(), found.summed(half).sums[told, 0].cpu(), tolerance), (
            "generation: the first codes of a causal drawing may not depend on later ones, nor be counted among them"
        )


def later(pair: GenerationPair, half: int) -> tuple[int, ...]:
    """The chosen drawing up to there, and the rejected one after it."""
    return pair.chosen_codes[:half] + pair.rejected_codes[half:]


def turned(pair: Any) -> Any:
    """The pair with chosen and rejected in each other's place."""
    if isinstance(pair, GenerationPair):
        return replace(pair, chosen_codes=pair.rejected_codes, rejected_codes=pair.chosen_codes)
    tokens = {"chosen_tokens": pair.rejected_tokens, "rejected_tokens": pair.chosen_tokens}
    return replace(pair, chosen=pair.rejected, rejected=pair.chosen, **tokens)


def check_fresh_adapter(model: UnifiedModel, pairs: Sequence[Any], tolerance: float) -> None:
    """Training starts at margin 0."""
    policy = sums_of(model, pairs)
    with model.base_only():
        base = sums_of(model, pairs)
    margin = margins(policy[:, 0], policy[:, 1], base[:, 0], base[:, 1])
    assert close(policy, base, tolerance) and bool((margin.abs() <= 2 * tolerance * base.abs().amax(dim=1)).all()), (
        f"{name_of(pairs)}: a fresh adapter has to leave the model as it is, so that training starts at margin 0"
    )


def check_divergence(model: UnifiedModel, pairs: Sequence[Any], tolerance: float, *, moved: bool) -> None:
    """The divergence from the base is of the tokens that are scored, 0 for a fresh adapter and above 0 for a moved one,
    and leaves the adapter on.
    """
    task, before = name_of(pairs), sums_of(model, pairs)
    found = model.token_kl(model.pack(pairs))
    sums, counted = found.sums.cpu(), [list(model.count_tokens(pair)) for pair in pairs]
    assert found.counts.tolist() == counted, f"{task}: token_kl and count_tokens have to count the same tokens"
    if moved:
        assert bool((sums > 0).all()), f"{task}: an adapter that moves the model has to have a divergence above 0"
        alone = torch.cat([model.token_kl(model.pack([pair])).sums.cpu() for pair in pairs])
        assert close(sums, alone, 5 * tolerance), (  # a difference of two log-probabilities rounds coarser than each
            f"{task}: a pair's divergence has to be its own, whatever stands beside"
        )
    else:
        assert bool((sums.abs() <= tolerance * found.counts.cpu()).all()), (
            f"{task}: a fresh adapter has to have no divergence from its base"
        )
    assert torch.equal(sums_of(model, pairs), before), f"{task}: token_kl has to leave the model as it was"


def check_parameters(
    model: UnifiedModel, understanding: Sequence[UnderstandingPair], generation: Sequence[GenerationPair]
) -> None:
    """What trains is fp32, both tasks reach what is shared, and only drawing reaches the head."""
    shared, head = model.shared_parameters(), model.head_parameters()
    assert shared, "shared_parameters has to name what both tasks train"
    assert all(p.tensor.dtype == torch.float32 and p.tensor.requires_grad for p in shared), (
        "every shared parameter has to be trainable and fp32: in a lower precision small steps are rounded away"
    )
    assert all(p.dtype == torch.float32 and p.requires_grad for _, p in head), (
        "every parameter of the head has to be trainable and fp32: in a lower precision small steps are rounded away"
    )
    names = [p.name for p in shared] + [name for name, _ in head]
    tensors = {id(p.tensor) for p in shared} | {id(p) for _, p in head}
    assert len(set(names)) == len(tensors) == len(names), (
        "head and shared parameters have to be apart, each under its name"
    )
    layers = {p.layer for p in shared}
    assert layers == set(range(len(layers))), "layers have to be counted from 0, without a gap"
    for pairs, reaches_head in ((understanding, False), (generation, True)):
        with torch.enable_grad():
            sums = model.log_probs(model.pack(pairs)).sums
            found = torch.autograd.grad(
                sums.sum(), [p.tensor for p in shared] + [p for _, p in head], allow_unused=True
            )
        on_shared, on_head = found[: len(shared)], found[len(shared) :]
        task = name_of(pairs)
        assert any(g is not None and bool(g.any()) for g in on_shared), f"{task} has to reach the shared parameters"
        wanted = "reach the head" if reaches_head else "leave the head without a gradient, or decay moves it"
        assert all((g is not None) == reaches_head for g in on_head), f"{task} has to {wanted}"


def move(model: UnifiedModel) -> None:
    """Put random numbers on what trains, as training would."""
    tensors = [p.tensor for p in model.shared_parameters()] + [p for _, p in model.head_parameters()]
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in tensors:
            tensor += MOVED * torch.randn(tensor.shape, generator=generator).to(tensor.device)


def check_base_only(model: UnifiedModel, pairs: Sequence[Any], tolerance: float) -> None:
    """The base is still there under a trained adapter, and what trains still trains after a look at it."""
    tensors = [p.tensor for p in model.shared_parameters()] + [p for _, p in model.head_parameters()]
    moved = sums_of(model, pairs)
    with model.base_only():
        base = sums_of(model, pairs)
    task = name_of(pairs)
    assert not close(moved, base, tolerance), f"{task}: base_only has to leave the adapter out, but it changed nothing"
    assert close(sums_of(model, pairs), moved, tolerance), f"{task}: after base_only the adapter has to be back"
    assert all(t.requires_grad for t in tensors), "after base_only what trains still has to be trainable"
    with ExitStack() as stack:
        keep = [t.detach().clone() for t in tensors]
        stack.callback(put, tensors, keep)
        put(tensors, [2 * t for t in keep])
        with model.base_only():
            assert close(sums_of(model, pairs), base, tolerance), f"{task}: the base may not depend on the adapter"


def put(tensors: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    with torch.no_grad():
        for tensor, value in zip(tensors, values, strict=True):
            tensor.copy_(value)


def check_dropout(model: UnifiedModel, pairs: Sequence[Any]) -> None:
    """Off by default, on where it is asked for, off again."""
    task = name_of(pairs)
    first = sums_of(model, pairs)
    assert torch.equal(sums_of(model, pairs), first), (
        f"{task}: outside `dropout` nothing may be dropped, twice has to be equal"
    )
    with model.dropout(SETTINGS.dropout):
        assert not torch.equal(sums_of(model, pairs), first), (
            f"{task}: within `dropout` the adapter has to drop something"
        )
    assert torch.equal(sums_of(model, pairs), first), f"{task}: after `dropout` nothing may be dropped"


def check_recomputation(model: UnifiedModel, pairs: Sequence[Any], tolerance: float) -> None:
    """Activations that are computed again give the gradients of those that are kept, dropout's noise included."""
    kept = gradients_of(model, pairs)
    model.checkpoint_gradients(True)
    recomputed = gradients_of(model, pairs)
    model.checkpoint_gradients(False)
    for own, other in zip(kept, recomputed, strict=True):
        assert (own is None) == (other is None) and (
            own is None or other is None or bool((own - other).abs().max() <= tolerance * (1 + own.abs().max()))
        ), f"{name_of(pairs)}: checkpoint_gradients has to leave every gradient as it is, with the noise of dropout"


def gradients_of(model: UnifiedModel, pairs: Sequence[Any]) -> list[Tensor | None]:
    """Of the sum of all log-probabilities under dropout of one seed, in all that trains."""
    tensors = [p.tensor for p in model.shared_parameters()] + [p for _, p in model.head_parameters()]
    with torch.random.fork_rng(), torch.enable_grad(), model.dropout(SETTINGS.dropout):
        torch.manual_seed(0)
        model.log_probs(model.pack(pairs)).sums.sum().backward()
    found = [tensor.grad for tensor in tensors]
    for tensor in tensors:
        tensor.grad = None
    return found


def check_device(model: UnifiedModel, both: Sequence[Sequence[Any]], tolerance: float) -> None:
    """A model that is moved, to the GPU where there is one and back, is the model: base, adapter and what it keeps."""
    home = model.shared_parameters()[0].tensor.device
    before = [sums_of(model, pairs) for pairs in both]
    away = torch.device("cuda" if home.type == "cpu" and torch.cuda.is_available() else "cpu")
    for device in (away, home):
        model.to(device)
        tensors = [p.tensor for p in model.shared_parameters()] + [p for _, p in model.head_parameters()]
        assert all(t.device.type == device.type and t.dtype == torch.float32 and t.requires_grad for t in tensors), (
            "after `to` what trains has to lie on that device, and still be trainable and fp32"
        )
        for pairs, expected in zip(both, before, strict=True):
            assert close(sums_of(model, pairs), expected, 10 * tolerance), (  # another device adds up in another order
                f"{name_of(pairs)}: `to` has to leave the model as it is, the adapter included"
            )


def check_files(model: UnifiedModel, both: Sequence[Sequence[Any]], tolerance: float) -> None:
    """An adapter on disk is the adapter; without one the model is its base."""
    with model.base_only():
        base = [sums_of(model, pairs) for pairs in both]
    moved = [sums_of(model, pairs) for pairs in both]
    with TemporaryDirectory() as folder:
        model.save_adapter(Path(folder))
        model.remove_adapter()
        removed = [sums_of(model, pairs) for pairs in both]
        model.load_adapter(Path(folder))
    loaded = [sums_of(model, pairs) for pairs in both]
    for pairs, *values in zip(both, base, removed, moved, loaded, strict=True):
        assert close(values[1], values[0], tolerance), (
            f"{name_of(pairs)}: removing the adapter has to give the base back"
        )
        assert close(values[3], values[2], tolerance), (
            f"{name_of(pairs)}: an adapter has to come back from disk as it was"
        )


def check_sampling(
    model: UnifiedModel, understanding: Sequence[UnderstandingPair], generation: Sequence[GenerationPair]
) -> None:
    """The same seed gives the same sample, and the batch does not matter."""
    images, questions = [p.image for p in understanding], [p.question for p in understanding]
    prompts = [p.prompt for p in generation]
    for temperature in (0.0, 1.0):
        sampling = Sampling(temperature=temperature, max_new_tokens=8, seed=1)
        alone = replace(sampling, batch_size=1)
        answers = [a.tokens for a in model.answer(images, questions, sampling)]
        drawings = [d.codes for d in model.draw(prompts, sampling)]
        assert len(answers) == len(questions) and len(drawings) == len(prompts), "one sample for each item"
        assert [a.tokens for a in model.answer(images, questions, sampling)] == answers, (
            "answers have to repeat with their seed"
        )
        assert [d.codes for d in model.draw(prompts, sampling)] == drawings, "drawings have to repeat with their seed"
        assert all(len(codes) == model.num_image_tokens for codes in drawings), (
            "a drawing has to hold num_image_tokens codes"
        )
        if model.identity.facts.get("dtype", "float32") == "float32":
            assert [a.tokens for a in model.answer(images, questions, alone)] == answers, (
                "the batch may not change an answer"
            )
            assert [d.codes for d in model.draw(prompts, alone)] == drawings, "the batch may not change a drawing"
    named = replace(sampling, items=(3,) * len(prompts))
    one = [d.codes for d in model.draw(prompts[:1] * len(prompts), named)]
    assert len(set(one)) == 1, "items of one name and one prompt have to get one noise, and so one drawing"
    other = model.draw(prompts, replace(sampling, seed=2))
    assert [d.codes for d in other] != drawings, "another seed has to give other drawings"


def check_images(model: UnifiedModel, generation: Sequence[GenerationPair]) -> None:
    """Codes to pixels and back keep their shapes."""
    codes = [pair.chosen_codes for pair in generation]
    pixels = model.decode(codes)
    assert len(pixels) == len(codes) and all(
        p.ndim == 3 and p.shape[2] == 3 and p.dtype.name == "uint8" for p in pixels
    ), "decode has to give pixels [height, width, 3] of 8 bits, one image a drawing"
    encoded = model.encode(pixels)
    assert len(encoded) == len(codes) and all(len(row) == model.num_image_tokens for row in encoded), (
        "encode has to give num_image_tokens codes for each image that decode made"
    )


def close(first: Tensor, second: Tensor, tolerance: float) -> bool:
    return first.shape == second.shape and bool(((first - second).abs() <= tolerance * (1 + second.abs())).all())


def name_of(pairs: Sequence[Any]) -> str:
    return "generation" if isinstance(pairs[0], GenerationPair) else "understanding"
