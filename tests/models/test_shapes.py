"""The published sizes: what they count to, and a model of one with random weights that answers, draws and is scored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_janus import BY_HAND, picture

from bifrons.models.janus import shapes
from bifrons.models.janus.stand_in import CHAT_TEMPLATE, SPECIAL_IDS, VOCABULARY, stand_in_processor, stand_in_tokenizer
from bifrons.protocol import Sampling
from bifrons.records import GenerationPair, UnderstandingPair


@pytest.mark.parametrize(
    ("name", "layers", "width", "inner"), [("janus-pro-1b", 24, 2048, 5632), ("janus-pro-7b", 30, 4096, 11_008)]
)
def test_parameters_are_counted(name: str, layers: int, width: int, inner: int) -> None:
    """Against the sums that anyone can do by hand, from the published sizes."""
    found = shapes.count_parameters(name)
    block = 4 * width * width + 3 * width * inner + 2 * width
    assert found["language model"] == VOCABULARY * width + layers * block + width
    assert found["text head"] == VOCABULARY * width
    assert found["image head"] == width * width + width + width * 16_384 + 16_384
    aligner = 8 * width + width + width * width + width
    assert found["code embeddings"] == 16_384 * 8 + aligner
    eyes = 3 * 16 * 16 * 1024 + 1024 + 576 * 1024 + 24 * (12 * 1024 * 1024 + 13 * 1024) + 2 * 1024
    assert found["vision encoder"] == eyes


def test_depth_is_free() -> None:
    """Each layer left out takes its parameters along; the rest stays."""
    whole, shallow = shapes.count_parameters("janus-pro-7b"), shapes.count_parameters("janus-pro-7b", num_layers=2)
    block = 4 * 4096 * 4096 + 3 * 4096 * 11_008 + 2 * 4096
    assert whole["language model"] - shallow["language model"] == 28 * block
    assert whole | {"language model": 0} == shallow | {"language model": 0}


def test_configurations_are_untied_and_square() -> None:
    for name in shapes.SHAPES:
        config = shapes.shape_config(name)
        assert config.tie_word_embeddings is False and config.text_config.tie_word_embeddings is False
        assert config.vision_config.num_image_tokens == config.vq_config.num_patches**2 == 576
        assert config.image_token_id == 100_581 and config.text_config.vocab_size == 102_400


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [("janus-pro-3b", {}, "no shape 'janus-pro-3b'"), ("janus-pro-1b", {"num_layers": 0}, "at least one layer")],
)
def test_what_is_no_shape_is_refused(name: str, settings: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        shapes.shape_config(name, **settings)


def test_the_stand_in_tokenizer_gives_every_text_back() -> None:
    tokenizer = stand_in_tokenizer()
    assert len(tokenizer) == VOCABULARY
    for text in ("A red bus, 12:30.", "naïve 漢字 \n\n two", " <unused 300> "):
        ids = tokenizer(text, add_special_tokens=False).input_ids
        assert tokenizer.decode(ids) == text and len(ids) == len(text.encode())
    assert tokenizer("a").input_ids[0] == SPECIAL_IDS["<｜begin▁of▁sentence｜>"]
    assert tokenizer("<image_placeholder>").input_ids[1:] == [100_581]


IMAGE, SAYS = {"type": "image"}, {"type": "text", "text": "Compare this image"}


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([{"type": "text", "text": " What is it? "}], "<|User|>: What is it?\n\n<|Assistant|>:"),
        ([SAYS, IMAGE], "<|User|>: Compare this image\n<image_placeholder>\n\n<|Assistant|>:"),
        ([IMAGE, SAYS], "<|User|>: <image_placeholder>\nCompare this image\n\n<|Assistant|>:"),
        (
            [SAYS, IMAGE, {"type": "text", "text": "with this image"}, IMAGE],
            "<|User|>: Compare this image\n<image_placeholder>\nwith this image\n<image_placeholder>\n\n<|Assistant|>:",
        ),
    ],
)
def test_the_template_renders_what_the_published_one_does(parts: list[dict[str, str]], expected: str) -> None:
    """The strings that transformers' own tests expect of the published checkpoint."""
    processor = stand_in_processor(384, 576)
    for role in ("user", "User", "USER"):
        messages = [{"role": role, "content": parts}]
        assert processor.apply_chat_template(messages, add_generation_prompt=True) == expected
    assert processor.chat_template == CHAT_TEMPLATE


def test_an_earlier_turn_ends_as_the_published_one_does() -> None:
    said = [{"type": "text", "text": "A pie chart."}]
    turns = [{"role": "user", "content": [IMAGE]}, {"role": "assistant", "content": said}]
    turns.append({"role": "user", "content": [{"type": "text", "text": "And now?"}]})
    rendered = stand_in_processor(384, 576).apply_chat_template(turns, add_generation_prompt=True)
    assert rendered == (
        "<|User|>: <image_placeholder>\n\n<|Assistant|>: A pie chart.<｜end▁of▁sentence｜>"
        "<|User|>: And now?\n\n<|Assistant|>:"
    )


@pytest.mark.slow
def test_a_model_of_random_weights_has_both_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    """All sizes as published but the language model's width, so that it fits a test; the seed decides the weights."""
    narrow = replace(shapes.SHAPES["janus-pro-1b"], hidden_size=64, num_heads=2, intermediate_size=64)
    monkeypatch.setitem(shapes.SHAPES, "janus-pro-1b", narrow)
    model = shapes.random_model("janus-pro-1b", num_layers=1, vision_layers=1)
    assert model.num_image_tokens == 576 and model.guidance == 5 and model.dtype == torch.bfloat16
    assert model.identity.name == "janus-pro-1b with random weights, 1 layers, seed 0"
    codes = np.random.default_rng(0).integers(0, 16_384, size=(2, 576)).tolist()
    answers = {"chosen": "A red bus.", "rejected": "No."}
    understanding = UnderstandingPair(id="u", image=picture(0), question="What?", provenance=BY_HAND, **answers)
    drawings = {"chosen_codes": tuple(codes[0]), "rejected_codes": tuple(codes[1])}
    generation = GenerationPair(id="g", prompt="a bus", provenance=BY_HAND, **drawings)
    with torch.no_grad():
        assert model.log_probs(model.pack([understanding])).counts.tolist() == [[12, 5]]
        assert model.log_probs(model.pack([generation])).counts.tolist() == [[576, 576]]
    assert len(model.answer([picture(0)], ["What?"], Sampling(temperature=0.0, max_new_tokens=2))[0].tokens) <= 2
