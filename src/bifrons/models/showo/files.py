"""A published Show-o checkpoint is three repositories: its own, Phi's for the body's shape and the words, MAGVIT-v2's.

config.json names the other two: `llm_model_path`, and `vq_model_name`, which published files leave to the published
tokenizer. Each is a folder inside the checkpoint's, any folder, or a name on the hub.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from transformers import PhiConfig, PreTrainedTokenizerFast

from bifrons.checkpoints import find_checkpoint
from bifrons.models.showo.drawing import DrawingSettings
from bifrons.models.showo.layout import NUM_SPECIAL, TEXT_SLOTS, Layout
from bifrons.models.showo.magvit import TokenizerConfig
from bifrons.models.showo.network import body_config
from bifrons.records import read_json

CLASS, TOKENIZER_CLASS = "Showo", "MAGVITv2"  # `_class_name` of both config.json
TOKENIZER = "showlab/magvitv2"
DRAWING = "generation_config.json"  # Bifrons's own: published checkpoints have none


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What a checkpoint's files say before any weight is read; `tokenizer_folder` holds MAGVIT-v2."""

    layout: Layout
    body: PhiConfig
    words: Any
    tokenizer: TokenizerConfig
    tokenizer_folder: Path
    drawing: DrawingSettings


def describe(folder: Path, name: str) -> Described:
    """Raises ValueError for files that are missing or do not fit each other, with the file and key."""
    config = read_json(folder / "config.json")
    layout = read_layout(config, name)
    phi = companion(folder, name, "llm_model_path", config.get("llm_model_path"), weights=False)
    magvit = companion(folder, name, "vq_model_name", config.get("vq_model_name", TOKENIZER), weights=True)
    tokenizer = read_tokenizer_config(magvit, name)
    side = round(layout.num_image_tokens**0.5)
    if side**2 != layout.num_image_tokens:
        raise ValueError(
            f"{name}: config.json: num_vq_tokens is {layout.num_image_tokens}, and codes stand on a square grid"
        )
    image_size = config.get("image_size", side * tokenizer.shrink)
    if image_size != side * tokenizer.shrink:
        raise ValueError(
            f"{name}: config.json: image_size is {image_size}, but {layout.num_image_tokens} codes of "
            f"{tokenizer.shrink} pixels a side make an image of {side * tokenizer.shrink}"
        )
    if tokenizer.num_codes != layout.num_codes:
        raise ValueError(
            f"{name}: config.json: codebook_size is {layout.num_codes}, but the image tokenizer's {tokenizer.bits} "
            f"bits make {tokenizer.num_codes} codes"
        )
    try:
        body = body_config(PhiConfig.from_pretrained(phi), layout)
    except Exception as error:  # transformers and huggingface_hub raise what they like for a value of the wrong type
        cause = " ".join(str(error).split())
        raise ValueError(f"{name}: {phi / 'config.json'} is no configuration of Phi ({cause})") from None
    return Described(
        layout=layout,
        body=body,
        words=read_words(phi, name, layout),
        tokenizer=tokenizer,
        tokenizer_folder=magvit,
        drawing=read_drawing(folder),
    )


def read_layout(config: dict[str, Any], name: str) -> Layout:
    if config.get("w_clip_vit"):
        raise ValueError(
            f"{name}: config.json: w_clip_vit is true: it reads images through CLIP, which is not supported; load the "
            "checkpoint that reads them in codes"
        )
    counts: dict[str, int] = {}
    defaults = {"codebook_size": 8192, "num_vq_tokens": 256, "text_slots": TEXT_SLOTS}
    for key in ("vocab_size", "llm_vocab_size", *defaults):
        value = config.get(key, defaults.get(key))
        if type(value) is not int or value < 4:
            raise ValueError(f"{name}: config.json: {key} is {value!r}, and has to be a number of tokens")
        counts[key] = value
    layout = Layout(
        num_words=counts["llm_vocab_size"],
        num_codes=counts["codebook_size"],
        num_image_tokens=counts["num_vq_tokens"],
        text_slots=counts["text_slots"],
    )
    said = {"vocab_size": layout.vocabulary, "mask_token_id": layout.mask, "num_new_special_tokens": NUM_SPECIAL}
    for key, wanted in said.items():
        if config.get(key, wanted) != wanted:
            raise ValueError(
                f"{name}: config.json: {key} is {config[key]!r}, but {layout.num_words} words, {NUM_SPECIAL} special "
                f"tokens, {layout.num_codes} codes and a mask make it {wanted}"
            )
    return layout


def companion(folder: Path, name: str, key: str, value: Any, *, weights: bool) -> Path:
    """The folder that a key of config.json names."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name}: config.json: {key} is {value!r}, and has to be a folder or a name on the hub")
    if (folder / value / "config.json").is_file():
        return folder / value
    try:
        return find_checkpoint(value, {}, weights=weights).folder
    except ValueError as error:
        raise ValueError(f"{name}: config.json: {key}: {error}") from None


def read_tokenizer_config(folder: Path, name: str) -> TokenizerConfig:
    """The published file names its class alone; other sizes are keys of ours."""
    path = folder / "config.json"
    config = read_json(path)
    if config.get("_class_name") != TOKENIZER_CLASS:
        raise ValueError(f"{name}: {path}: _class_name is {config.get('_class_name')!r}, not {TOKENIZER_CLASS!r}")
    given: dict[str, Any] = {f.name: config[f.name] for f in fields(TokenizerConfig) if f.name in config}
    for key, value in given.items():
        numbers = value if isinstance(value, list) else [value]
        listed = key not in ("bits", "channels")
        if listed != isinstance(value, list) or not all(type(number) is int and number > 0 for number in numbers):
            raise ValueError(
                f"{name}: {path}: {key} is {value!r}, and has to be {'whole numbers' if listed else 'one'}"
            )
    sizes: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
    try:
        return TokenizerConfig(**sizes)
    except ValueError as error:
        raise ValueError(f"{name}: {path}: {error}") from None


def read_words(folder: Path, name: str, layout: Layout) -> Any:
    if not (folder / "tokenizer.json").is_file():
        raise ValueError(f"{name}: {folder} holds no tokenizer.json")
    try:
        words: Any = PreTrainedTokenizerFast.from_pretrained(folder)
    except Exception as error:  # as above
        cause = " ".join(str(error).split())
        raise ValueError(f"{name}: the tokenizer of {folder} cannot be read ({cause})") from None
    if len(words) != layout.num_words:
        raise ValueError(
            f"{name}: config.json: llm_vocab_size is {layout.num_words}, but the tokenizer of {folder} has "
            f"{len(words)} words"
        )
    return words


def read_drawing(folder: Path) -> DrawingSettings:
    path = folder / DRAWING
    given = read_json(path) if path.is_file() else {}
    kinds: dict[str, type | tuple[type, ...]] = {"steps": int, "guidance": (int, float), "compounding": bool}
    for key, kind in kinds.items():
        if key in given and (not isinstance(given[key], kind) or (kind is not bool and given[key] is True)):
            raise ValueError(f"{path}: {key} is {given[key]!r}")
    try:
        values: dict[str, Any] = {key: given[key] for key in kinds if key in given}
        if "guidance" in values:
            values["guidance"] = float(values["guidance"])  # 6 and 6.0 are one setting, and one key
        return DrawingSettings(**values)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
