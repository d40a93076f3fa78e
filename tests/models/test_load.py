"""From a name or a folder to a model, and what is refused on the way."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
from published_layout import edit
from safetensors.torch import load_file, save_file
from tiny_janus import generation_pairs, make_model, move_adapter, parts, sums_of, understanding_pairs

from bifrons import load
from bifrons.protocol import AdapterSettings


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model in the Hugging Face layout."""
    made = tmp_path_factory.mktemp("weights") / "tiny"
    network, processor = parts()
    network.save_pretrained(made)
    processor.save_pretrained(made)
    return made


def test_a_folder_gives_the_model_that_was_saved(folder: Path) -> None:
    """The same fingerprint, prompts and log-probabilities to the last bit."""
    loaded, built = load(str(folder), device="cpu"), make_model()
    assert loaded.identity.fingerprint == built.identity.fingerprint
    assert loaded.identity.name == str(folder)
    for pairs in (understanding_pairs(2), generation_pairs(2)):
        assert torch.equal(sums_of(loaded, pairs), sums_of(built, pairs))  # pyright: ignore[reportArgumentType]


def test_dtype_and_adapter_can_be_asked_for(folder: Path, tmp_path: Path) -> None:
    first = load(str(folder), device="cpu", dtype=torch.bfloat16)
    first.add_adapter(AdapterSettings(rank=2, alpha=4.0))
    move_adapter(first)  # pyright: ignore[reportArgumentType]
    first.save_adapter(tmp_path / "adapter")
    second = load(str(folder), device="cpu", dtype=torch.bfloat16, adapter=tmp_path / "adapter")
    assert second.identity.facts["dtype"] == "bfloat16"
    pairs = generation_pairs(2)
    assert torch.equal(sums_of(first, pairs), sums_of(second, pairs))  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("name", ["nothing", "a/b/c"])
def test_an_unknown_name_is_refused(name: str) -> None:
    """A word that is no folder and no hub name; nothing is asked of the network."""
    with pytest.raises(ValueError, match=f"no model '{name}': give organism"):
        load(name)


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no config.json"):
        load(str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}), encoding="utf-8")
    with pytest.raises(ValueError, match="model type 'llama' is not supported; supported are janus"):
        load(str(tmp_path))


def test_weights_in_another_format_are_refused(tmp_path: Path) -> None:
    """Pickled weights can run code: they are not even looked at."""
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "janus"}), encoding="utf-8")
    (tmp_path / "pytorch_model.bin").write_bytes(b"not looked at")
    with pytest.raises(ValueError, match="holds no safetensors weights"):
        load(str(tmp_path))


def test_deepseeks_own_layout_is_told_how_to_convert(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "multi_modality"}), encoding="utf-8")
    (tmp_path / "pytorch_model.bin").write_bytes(b"not looked at")
    with pytest.raises(
        ValueError, match=r"original layout .* convert_janus_weights_to_hf\.py --repo_id .* --output_dir"
    ):
        load(str(tmp_path))


def copy_of(folder: Path, to: Path) -> Path:
    """Links where files are only replaced: weights are not copied."""
    shutil.copytree(folder, to, copy_function=os.link)
    return to


def change_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    path = folder / "model.safetensors"
    tensors = load_file(path)
    change(tensors)
    path.unlink()
    save_file(tensors, path, metadata={"format": "pt"})


def rename(tensors: dict[str, torch.Tensor]) -> None:
    tensors["model.language_model.norm.scale"] = tensors.pop("model.language_model.norm.weight")


def shorten(tensors: dict[str, torch.Tensor]) -> None:
    name = "model.vqmodel.quantize.embedding.weight"
    tensors[name] = tensors[name][:-1].contiguous()


def rewrite(folder: Path, file: str, text: str) -> None:
    (folder / file).unlink()
    (folder / file).write_text(text, encoding="utf-8")


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "a weight is missing": (
        lambda f: change_weights(f, lambda t: t.pop("model.aligner.fc1.bias")),
        r"lacks model\.aligner\.fc1\.bias",
    ),
    "a weight has another name": (
        lambda f: change_weights(f, rename),
        r"lacks model\.language_model\.norm\.weight and holds the unknown model\.language_model\.norm\.scale",
    ),
    "tied when it was saved": (
        lambda f: change_weights(f, lambda t: t.pop("lm_head.weight")),
        "no text head of its own",
    ),
    "another codebook": (
        lambda f: change_weights(f, shorten),
        r"quantize\.embedding\.weight is of shape \[63, 8\], and by config\.json of \[64, 8\]",
    ),
    "cut weights": (
        lambda f: rewrite(f, "model.safetensors", "cut"),
        r"model\.safetensors is no whole safetensors file",
    ),
    "a shard is not there": (
        lambda f: (
            (f / "model.safetensors").unlink(),
            edit(f, "config.json"),
            (f / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "b.safetensors"}})),
        ),
        r"the weight file 'b\.safetensors', which the index names, is not in the folder",
    ),
    "a shard outside the folder": (
        lambda f: (
            (f / "model.safetensors").rename(f.parent / "model.safetensors"),
            (f / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "../model.safetensors"}})),
        ),
        r"the weight file '\.\./model\.safetensors', which the index names, is not in the folder",
    ),
    "an index of nothing": (
        lambda f: (
            (f / "model.safetensors").unlink(),
            (f / "model.safetensors.index.json").write_text("{}"),
        ),
        r"index\.json: holds no weight_map",
    ),
    "no JSON": (lambda f: rewrite(f, "config.json", "{"), "config.json: not JSON"),
    "a value of another type": (lambda f: edit(f, "config.json", image_token_id="four"), "no configuration of Janus"),
    "image tokens against patches": (
        lambda f: edit(f, "config.json", vision_config__num_image_tokens=576),
        r"says 576 image tokens, but an image of 32 pixels in patches of 4 has 32²/4² = 64",
    ),
    "codes against patches": (
        lambda f: edit(f, "config.json", vq_config__channel_multiplier=[1, 2]),
        r"gives drawings 8 x 8 codes, but its VQ model makes codes of 2 pixels a side, 16 x 16",
    ),
    "widths": (
        lambda f: edit(f, "config.json", vq_config__projection_dim=7),
        r"vq_config\.projection_dim is 7, and the language model's width is 64",
    ),
    "another image token": (
        lambda f: edit(f, "config.json", image_token_id=7),
        r"gives '<image_placeholder>' the id 4, and config\.json says 7",
    ),
    "a tokenizer of text": (
        lambda f: edit(f, "tokenizer_config.json", image_token=None, boi_token=None),
        r"tokenizer has no image tokens \(image_token, boi_token\)",
    ),
    "no end of text": (lambda f: edit(f, "tokenizer_config.json", eos_token=None), "its tokenizer has no eos_token"),
    "more words than the model": (
        lambda f: edit(f, "config.json", text_config__vocab_size=12),
        r"tokenizer has \d+ tokens, and the language model knows 12",
    ),
    "no tokenizer": (lambda f: (f / "tokenizer.json").unlink(), "holds no tokenizer.json"),
    "a broken tokenizer": (lambda f: rewrite(f, "tokenizer.json", "{}"), "its tokenizer cannot be read"),
    "images of another size": (
        lambda f: edit(f, "processor_config.json", image_processor__size={"height": 48, "width": 48}),
        r"image processor makes images of 48 x 48, and config\.json says 32 x 32",
    ),
    "another number of placeholders": (
        lambda f: edit(f, "processor_config.json", num_image_tokens=576),
        r"processor makes 576 image tokens of an image, and config\.json says 64",
    ),
    "no image processor": (lambda f: (f / "processor_config.json").unlink(), "image processor cannot be read"),
    "no chat template": (lambda f: (f / "chat_template.jinja").unlink(), "has no chat template"),
    "other roles": (
        lambda f: rewrite(f, "chat_template.jinja", "USER: <image_placeholder>{{ messages[0]['content'][1]['text'] }}"),
        r"has to put <\|User\|>, one <image_placeholder>, the question and <\|Assistant\|>",
    ),
    "a template that cannot be rendered": (
        lambda f: rewrite(f, "chat_template.jinja", "{{ messages[0].nothing.text }}"),
        "chat template cannot be rendered",
    ),
    "no begin of text": (
        lambda f: rewrite(
            f,
            "chat_template.jinja",
            (f / "chat_template.jinja").read_text(encoding="utf-8").replace("{{ bos_token }}", ""),
        ),
        "do not begin with the begin-of-text token",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_checkpoint_is_named(folder: Path, tmp_path: Path, damage: str) -> None:
    """One sentence with the folder's name and what does not fit; without it most of these would load and be wrong."""
    harm, message = DAMAGE[damage]
    copy = copy_of(folder, tmp_path / "damaged")
    harm(copy)
    with pytest.raises(ValueError, match=message) as caught:
        load(str(copy))
    assert "damaged" in str(caught.value) and "\n" not in str(caught.value)


def test_a_revision_belongs_to_the_hub(folder: Path) -> None:
    for name in (str(folder), "organism"):
        with pytest.raises(ValueError, match="only a name on the hub has revisions, and 'main' was asked for"):
            load(name, revision="main")


COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def offline_cache(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache with one repository in it, and no network."""
    repository = tmp_path / "models--someone--tiny"
    copy_of(folder, repository / "snapshots" / COMMIT)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    return repository


@pytest.mark.parametrize("revision", ["", "main", COMMIT])
def test_a_hub_name_is_resolved_to_its_commit(offline_cache: Path, tmp_path: Path, revision: str) -> None:
    """Offline, from the cache: what was loaded is recorded in the identity and in every adapter."""
    model = load("someone/tiny", revision=revision, device="cpu")
    assert model.identity.name == "someone/tiny" and model.identity.revision == COMMIT
    model.add_adapter(AdapterSettings(rank=2, alpha=4.0))
    model.save_adapter(tmp_path / "adapter")
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text(encoding="utf-8"))
    assert (config["base_model_name_or_path"], config["revision"]) == ("someone/tiny", COMMIT)
    assert load(str(offline_cache / "snapshots" / COMMIT)).identity.revision == COMMIT


@pytest.mark.parametrize(
    ("name", "revision", "message"),
    [
        ("someone/absent", "", "someone/absent: there is no such folder here, and the Hugging Face hub gives no such"),
        ("someone/tiny", "v2", "no such repository at revision 'v2'"),
        ("some one/tiny!", "", "the Hugging Face hub gives no such repository"),
    ],
)
def test_what_the_hub_does_not_have_is_named(offline_cache: Path, name: str, revision: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        load(name, revision=revision)
    assert "\n" not in str(caught.value)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "weights.safetensors").write_bytes(b"")
    with pytest.raises(ValueError, match=r"weights\.safetensors: is a file; give the folder"):
        load(str(tmp_path / "weights.safetensors"))
