"""What trains and what does not, what the base still is under an adapter, and adapters on disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_janus import SETTINGS, base_head, generation_pairs, make_model, move_adapter, sums_of, understanding_pairs
from torch import Tensor

from bifrons.models.janus.model import JanusModel
from bifrons.protocol import AdapterSettings
from bifrons.records import read_json, write_json

UNDERSTANDING, GENERATION = understanding_pairs(3), generation_pairs(3)
PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
NUM_LAYERS = 2


def both(model: JanusModel) -> Tensor:
    """[6, 2] log-probabilities of three pairs a face."""
    return torch.cat([sums_of(model, UNDERSTANDING), sums_of(model, GENERATION)])


def trainable(model: JanusModel) -> dict[str, Tensor]:
    return {name: p for name, p in model.trained().named_parameters() if p.requires_grad}


@pytest.fixture
def adapted(model: JanusModel) -> JanusModel:
    """With an adapter that does something."""
    model.add_adapter(SETTINGS)
    move_adapter(model)
    return model


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("loaded", [False, True], ids=["added", "loaded"])
def test_every_trainable_tensor_is_fp32(dtype: torch.dtype, loaded: bool, tmp_path: Path) -> None:
    """On a bf16 base too, and from disk too: in bf16 small steps would be rounded away. The body keeps its dtype."""
    model = make_model(dtype)
    model.add_adapter(SETTINGS)
    if loaded:
        model.save_adapter(tmp_path)
        model.load_adapter(tmp_path)
    assert {p.dtype for p in trainable(model).values()} == {torch.float32}
    assert model.dtype == dtype
    for pairs in (UNDERSTANDING, GENERATION):
        model.log_probs(model.pack(pairs)).sums.sum().backward()
    assert {p.grad.dtype for p in trainable(model).values() if p.grad is not None} == {torch.float32}


def test_only_lora_of_the_language_model_and_the_head_train(adapted: JanusModel) -> None:
    """Two factors on seven projections of every layer, and the head's copy; nothing of vision, VQ and words."""
    shared = {p.name: p.tensor for p in adapted.shared_parameters()}
    head = dict(adapted.head_parameters())
    assert set(shared) | set(head) == set(trainable(adapted)) and not set(shared) & set(head)
    assert len(shared) == NUM_LAYERS * len(PROJECTIONS) * 2
    assert all("language_model.layers." in name and any(p in name for p in PROJECTIONS) for name in shared)
    assert all("generation_head.modules_to_save." in name for name in head)
    assert sum(p.numel() for p in head.values()) == sum(p.numel() for p in base_head(adapted).parameters())


def test_layers_are_counted_from_the_input(adapted: JanusModel) -> None:
    """Each parameter's layer is the block that holds its very tensor."""
    for index, block in enumerate(adapted.core.language_model.layers):
        inside = {p.data_ptr() for p in block.parameters()}
        assert {p.layer for p in adapted.shared_parameters() if p.tensor.data_ptr() in inside} == {index}
    assert {p.layer for p in adapted.shared_parameters()} == set(range(NUM_LAYERS))


def test_a_task_reaches_what_it_should(adapted: JanusModel) -> None:
    """Understanding leaves the head's gradient None, so that no optimizer touches it; both reach every LoRA factor."""
    for pairs, reaches_head in ((UNDERSTANDING, False), (GENERATION, True)):
        adapted.network.zero_grad(set_to_none=True)
        adapted.log_probs(adapted.pack(pairs)).sums.sum().backward()
        assert all(p.tensor.grad is not None and p.tensor.grad.norm() > 0 for p in adapted.shared_parameters())
        assert all((p.grad is not None) == reaches_head for _, p in adapted.head_parameters())
        frozen = [p for p in adapted.network.parameters() if not p.requires_grad]
        assert all(p.grad is None for p in frozen)


def test_the_head_can_be_left_alone(model: JanusModel) -> None:
    model.add_adapter(replace(SETTINGS, train_head=False))
    assert model.head_parameters() == []
    assert len(trainable(model)) == len(model.shared_parameters()) > 0


def test_a_fresh_adapter_is_the_base(model: JanusModel) -> None:
    """B = 0: log-probabilities are those of the base to the last bit; the seed decides A."""
    base = both(model)
    model.add_adapter(SETTINGS)
    assert torch.equal(both(model), base)
    first = {p.name: p.tensor.detach().clone() for p in model.shared_parameters()}
    model.remove_adapter()
    torch.manual_seed(99)
    model.add_adapter(SETTINGS)
    assert all(torch.equal(p.tensor, first[p.name]) for p in model.shared_parameters())
    model.remove_adapter()
    model.add_adapter(replace(SETTINGS, seed=1))
    assert all("lora_B" in p.name or not torch.equal(p.tensor, first[p.name]) for p in model.shared_parameters())


def test_adding_an_adapter_draws_nothing_from_the_global_generator(model: JanusModel) -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    model.add_adapter(SETTINGS)
    assert torch.equal(torch.rand(1), expected)


def test_base_only_is_the_base(model: JanusModel) -> None:
    """Under a moved adapter and a moved head: to the last bit, and afterwards the adapter is back."""
    base = both(model)
    model.add_adapter(SETTINGS)
    move_adapter(model)
    moved = both(model)
    assert ((moved - base).abs() > 1e-3).all()
    with model.base_only():
        assert torch.equal(both(model), base)
    assert torch.equal(both(model), moved)


def test_base_only_leaves_what_trains(adapted: JanusModel) -> None:
    """After the block, and after an error in it: within it PEFT switches `requires_grad` of what it wrapped."""
    before = {name: p.requires_grad for name, p in adapted.network.named_parameters()}
    with pytest.raises(RuntimeError, match="on purpose"), adapted.base_only():
        raise RuntimeError("on purpose")
    with adapted.base_only(), torch.no_grad():
        both(adapted)
    assert {name: p.requires_grad for name, p in adapted.network.named_parameters()} == before
    assert any(before.values()) and not all(before.values())


def test_base_only_without_an_adapter_is_nothing(model: JanusModel) -> None:
    base = both(model)
    with model.base_only():
        assert torch.equal(both(model), base)


@pytest.mark.parametrize("settings", [SETTINGS, AdapterSettings(full=True, dropout=0.0)], ids=["lora", "full"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_removing_the_adapter_gives_the_base_back(dtype: torch.dtype, settings: AdapterSettings) -> None:
    """To the last bit, trained copies included: PEFT's own `unload` leaves them in the base's place."""
    model = make_model(dtype)
    base, weights = both(model), {n: p.clone() for n, p in model.network.named_parameters()}
    model.add_adapter(settings)
    move_adapter(model)
    model.remove_adapter()
    assert torch.equal(both(model), base)
    after = dict(model.network.named_parameters())
    assert set(after) == set(weights) and all(torch.equal(after[name], weights[name]) for name in weights)
    assert not any(p.requires_grad for p in after.values())
    model.remove_adapter()  # without one, nothing happens


def test_one_adapter_at_a_time(adapted: JanusModel) -> None:
    with pytest.raises(ValueError, match="already has an adapter"):
        adapted.add_adapter(SETTINGS)


def test_without_an_adapter_nothing_can_train(model: JanusModel) -> None:
    calls: list[Callable[[], object]] = [
        model.shared_parameters,
        model.head_parameters,
        lambda: model.save_adapter(Path()),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="the model has no adapter"):
            call()


def test_dropout_acts_only_where_it_is_asked_for(adapted: JanusModel) -> None:
    """Off by default, though the network is in training mode; on within the block; off after it, and after an error."""
    off = both(adapted)
    assert torch.equal(both(adapted), off)
    with adapted.dropout(0.3):
        torch.manual_seed(1)
        first = both(adapted)
        second = both(adapted)
        torch.manual_seed(1)
        assert torch.equal(both(adapted), first)
    assert not torch.equal(first, off) and not torch.equal(first, second)
    with adapted.dropout(0.0):
        assert torch.equal(both(adapted), off)
    with pytest.raises(RuntimeError, match="on purpose"), adapted.dropout(0.3):
        raise RuntimeError("on purpose")
    assert torch.equal(both(adapted), off)


def test_dropout_that_was_not_made_cannot_be_switched_on(model: JanusModel) -> None:
    model.add_adapter(replace(SETTINGS, dropout=0.0))
    with model.dropout(0.0):
        pass
    with pytest.raises(ValueError, match="made without dropout"), model.dropout(0.1):
        pass


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_an_adapter_comes_back_from_disk(dtype: torch.dtype, tmp_path: Path) -> None:
    """Into the same model and into a fresh one: log-probabilities to the last bit, and it trains on."""
    model = make_model(dtype)
    model.add_adapter(SETTINGS)
    move_adapter(model)
    trained = both(model)
    model.save_adapter(tmp_path)
    model.remove_adapter()
    for each in (model, make_model(dtype)):
        each.load_adapter(tmp_path)
        assert torch.equal(both(each), trained)
        assert len(each.shared_parameters()) == NUM_LAYERS * len(PROJECTIONS) * 2
        assert len(each.head_parameters()) > 0 and all(p.requires_grad for p in trainable(each).values())
        assert torch.equal(both(each), both(each)), "no dropout after loading"


def test_loading_replaces_the_adapter(adapted: JanusModel, tmp_path: Path) -> None:
    """The one on disk alone acts, not the sum of both."""
    first = both(adapted)
    adapted.save_adapter(tmp_path)
    move_adapter(adapted, seed=5)
    assert not torch.equal(both(adapted), first)
    adapted.load_adapter(tmp_path)
    assert torch.equal(both(adapted), first)


def test_files_are_safetensors_and_name_no_machine(adapted: JanusModel, tmp_path: Path) -> None:
    """PEFT's own layout without its README; the base by name; no path of this machine in any text."""
    adapted.save_adapter(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"adapter_config.json", "adapter_model.safetensors", "bifrons.json"}
    config = read_json(tmp_path / "adapter_config.json")
    assert config["base_model_name_or_path"] == "tiny"
    card = read_json(tmp_path / "bifrons.json")
    identity = adapted.identity
    expected = {"base": "tiny", "family": "janus", "fingerprint": identity.fingerprint, "revision": ""}
    assert card == expected | {"dtype": "float32"}
    for path in tmp_path.glob("*.json"):
        text = path.read_text(encoding="utf-8")
        assert str(Path.home()) not in text and "/tmp" not in text and str(Path.cwd()) not in text
    tensors = load_file(tmp_path / "adapter_model.safetensors")
    assert {t.dtype for t in tensors.values()} == {torch.float32}
    assert sum(t.numel() for t in tensors.values()) == sum(p.numel() for p in trainable(adapted).values())


def test_an_adapter_of_another_model_is_refused(adapted: JanusModel, tmp_path: Path) -> None:
    """One weight of the base differs, so its fingerprint does: the folder is named, and the old adapter stays."""
    before = both(adapted)
    folder = tmp_path / "foreign"
    adapted.save_adapter(folder)
    card = read_json(folder / "bifrons.json")
    write_json(folder / "bifrons.json", card | {"base": "cousin", "fingerprint": "0" * 20})
    with pytest.raises(ValueError, match="foreign: is an adapter of 'cousin', whose weights are not those of 'tiny'"):
        adapted.load_adapter(folder)
    assert torch.equal(both(adapted), before)


@pytest.mark.parametrize("missing", ["adapter_config.json", "adapter_model.safetensors"])
def test_a_folder_without_an_adapter_is_refused(adapted: JanusModel, tmp_path: Path, missing: str) -> None:
    before = both(adapted)
    folder = tmp_path / "half"
    adapted.save_adapter(folder)
    (folder / missing).unlink()
    with pytest.raises(ValueError, match="half: holds no adapter"):
        adapted.load_adapter(folder)
    assert torch.equal(both(adapted), before)


def test_the_fingerprint_is_of_every_weight(model: JanusModel) -> None:
    """The same weights give the same; one changed number, or two swapped ones, another."""
    assert make_model().identity.fingerprint == model.identity.fingerprint
    from bifrons.models.weights import fingerprint

    weight = model.network.model.vqmodel.decoder.conv_out.bias
    with torch.no_grad():
        weight[:2] = torch.tensor([1.0, 2.0])
        one = fingerprint(model.network.state_dict())
        weight[:2] = torch.tensor([2.0, 1.0])
    assert len({model.identity.fingerprint, one, fingerprint(model.network.state_dict())}) == 3


def test_another_adapter_than_a_model_can_hold(adapted: JanusModel, tmp_path: Path) -> None:
    """An adapter of another rank on disk brings its own settings."""
    other = make_model()
    other.add_adapter(replace(SETTINGS, rank=2))
    move_adapter(other, seed=3)
    other.save_adapter(tmp_path)
    adapted.load_adapter(tmp_path)
    assert torch.equal(both(adapted), both(other))
