"""Configuration, tokenizer, chat template and image processor of a checkpoint, read from its files and held against
each other.

Whatever does not fit here would train and sample without an error, only wrongly: an image that is not looked at, a
prompt without its roles, a grid of codes of another size.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import JanusConfig, JanusProcessor, PreTrainedTokenizerFast
from transformers.models.janus.image_processing_pil_janus import JanusImageProcessorPil

from bifrons.records import read_json

IMAGE_TOKENS = ("image_token", "boi_token", "eoi_token")
ROLES = ("<|User|>", "<|Assistant|>")
PROBE = "Is this it?"


def read_config(folder: Path, name: str) -> JanusConfig:
    """The configuration, untied: JanusConfig ties by default, and the published files do not say that they are not."""
    try:
        config: Any = JanusConfig.from_pretrained(folder)
    except Exception as error:  # transformers and huggingface_hub raise what they like for a value of the wrong type
        cause = " ".join(str(error).split())
        raise ValueError(f"{name}: config.json is no configuration of Janus ({cause})") from None
    config.tie_word_embeddings = False
    vision, vq = config.vision_config, config.vq_config
    side = vision.image_size // vision.patch_size
    if vision.image_size % vision.patch_size or vision.num_image_tokens != side**2:
        raise ValueError(
            f"{name}: config.json says {vision.num_image_tokens} image tokens, but an image of {vision.image_size} "
            f"pixels in patches of {vision.patch_size} has {vision.image_size}²/{vision.patch_size}² = {side**2}"
        )
    shrink = 2 ** (len(vq.channel_multiplier) - 1)
    drawn = vision.image_size // shrink
    if drawn != side:
        raise ValueError(
            f"{name}: config.json gives drawings {side} x {side} codes, but its VQ model makes codes of {shrink} "
            f"pixels a side, {drawn} x {drawn} in an image of {vision.image_size}"
        )
    width = config.text_config.hidden_size
    widths = {
        "vision_config.projection_dim": vision.projection_dim,
        "vq_config.projection_dim": vq.projection_dim,
        "vq_config.image_token_embed_dim": vq.image_token_embed_dim,
    }
    for part, found in widths.items():
        if found != width:
            raise ValueError(f"{name}: config.json: {part} is {found}, and the language model's width is {width}")
    return config


def read_processor(folder: Path, name: str, config: Any) -> JanusProcessor:
    """transformers' processor, with the PIL image processor: it needs no torchvision."""
    if not (folder / "tokenizer.json").is_file():
        raise ValueError(f"{name}: holds no tokenizer.json")
    try:  # by what the file says: the class that tokenizer_config.json names would build a Llama vocabulary anew
        tokenizer: Any = PreTrainedTokenizerFast.from_pretrained(folder)
    except Exception as error:  # as above
        cause = " ".join(str(error).split())
        raise ValueError(f"{name}: its tokenizer cannot be read ({cause})") from None
    settings = settings_of(folder)
    check_tokenizer(name, tokenizer, config)
    tokens = config.vision_config.num_image_tokens
    said = settings.get("num_image_tokens", tokens)
    if said != tokens:
        raise ValueError(f"{name}: its processor makes {said} image tokens of an image, and config.json says {tokens}")
    processor = JanusProcessor(
        image_processor(folder, name, config),
        tokenizer,
        chat_template=chat_template(folder, tokenizer, settings),
        use_default_system_prompt=bool(settings.get("use_default_system_prompt", False)),
        num_image_tokens=tokens,
    )
    check_template(name, processor)
    return processor


def settings_of(folder: Path) -> dict[str, Any]:
    path = folder / "processor_config.json"
    return read_json(path) if path.is_file() else {}


def check_tokenizer(name: str, tokenizer: Any, config: Any) -> None:
    missing = [kind for kind in IMAGE_TOKENS if getattr(tokenizer, kind, None) is None]
    if missing:
        raise ValueError(
            f"{name}: its tokenizer has no image tokens ({', '.join(missing)}): it is that of a text model, or its "
            "tokenizer_config.json has lost them"
        )
    for kind in ("bos_token", "eos_token"):
        if getattr(tokenizer, kind, None) is None:
            raise ValueError(f"{name}: its tokenizer has no {kind}")
    placeholder = tokenizer.convert_tokens_to_ids(tokenizer.image_token)
    if placeholder != config.image_token_id:
        raise ValueError(
            f"{name}: its tokenizer gives {tokenizer.image_token!r} the id {placeholder}, and config.json says "
            f"{config.image_token_id}"
        )
    words = config.text_config.vocab_size
    if len(tokenizer) > words:
        raise ValueError(f"{name}: its tokenizer has {len(tokenizer)} tokens, and the language model knows {words}")


def image_processor(folder: Path, name: str, config: Any) -> JanusImageProcessorPil:
    try:
        images = JanusImageProcessorPil.from_pretrained(folder)
    except Exception as error:  # as above
        cause = " ".join(str(error).split())
        raise ValueError(f"{name}: its image processor cannot be read ({cause})") from None
    size: Any = images.size
    sides = {size["height"], size["width"]}
    wanted = config.vision_config.image_size
    if sides != {wanted}:
        raise ValueError(
            f"{name}: its image processor makes images of {size['height']} x {size['width']}, and config.json says "
            f"{wanted} x {wanted}"
        )
    return images


def chat_template(folder: Path, tokenizer: Any, settings: dict[str, Any]) -> str | None:
    """From where transformers keeps it, newest place first: chat_template.jinja, chat_template.json, the processor's
    settings, the tokenizer's.
    """
    jinja, older = folder / "chat_template.jinja", folder / "chat_template.json"
    if jinja.is_file():
        return jinja.read_text(encoding="utf-8")
    if older.is_file():
        return read_json(older).get("chat_template")
    return settings.get("chat_template") or tokenizer.chat_template


def check_template(name: str, processor: JanusProcessor) -> None:
    """A question about an image has to become: the user's role, one placeholder, the text, the assistant's role."""
    if not isinstance(processor.chat_template, str):
        raise ValueError(f"{name}: has no chat template (chat_template.jinja)")
    content = [{"type": "image"}, {"type": "text", "text": PROBE}]
    asked: list[dict[str, Any]] = [{"role": "user", "content": content}]
    try:
        text: str = processor.apply_chat_template(asked, add_generation_prompt=True)
    except Exception as error:  # jinja2 raises its own errors, and a template whatever it calls
        raise ValueError(f"{name}: its chat template cannot be rendered ({' '.join(str(error).split())})") from None
    user, assistant = ROLES
    order = [text.find(part) for part in (user, processor.image_token, PROBE, assistant)]
    if -1 in order or order != sorted(order) or text.count(processor.image_token) != 1:
        raise ValueError(
            f"{name}: its chat template has to put {user}, one {processor.image_token}, the question and {assistant} "
            f"in this order, and gives {text!r}"
        )
