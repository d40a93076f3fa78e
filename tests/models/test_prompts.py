"""Prompts become the ids that the processor itself would give; the configuration is untied."""

from __future__ import annotations

import io

import pytest
import torch
from PIL import Image
from tiny_janus import NUM_IMAGE_TOKENS, generation_pairs, picture, understanding_pairs

from bifrons.models.janus.model import JanusModel
from bifrons.models.janus.prompts import Prompts
from bifrons.records import GenerationPair, UnderstandingPair


@pytest.mark.parametrize("pair", understanding_pairs(4), ids=lambda pair: pair.id)
def test_understanding_ids_are_the_processors(model: JanusModel, pair: UnderstandingPair) -> None:
    """Chat template, image placeholders and special ids of transformers' own call with an image."""
    content = [{"type": "image"}, {"type": "text", "text": pair.question}]
    text = model.processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    called = model.processor(text=text, images=Image.open(io.BytesIO(picture(0))), return_tensors="pt")
    ids = model.prompts.understanding(pair.question)
    assert ids == called["input_ids"][0].tolist()
    assert ids.count(model.prompts.image_id) == NUM_IMAGE_TOKENS
    assert ids[0] == model.prompts.bos_id


@pytest.mark.parametrize("pair", generation_pairs(4), ids=lambda pair: pair.id)
def test_generation_ids_are_the_processors(model: JanusModel, pair: GenerationPair) -> None:
    """They end with begin of image, as `generation_mode="image"` makes them."""
    content = [{"type": "text", "text": pair.prompt}]
    text = model.processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    called = model.processor(text=text, generation_mode="image", return_tensors="pt")
    ids = model.prompts.generation(pair.prompt)
    assert ids == called["input_ids"][0].tolist()
    assert ids[-1] == model.prompts.begin_image_id


def test_the_unconditional_row_is_pads_of_its_own_length(model: JanusModel) -> None:
    """Begin of text and begin of image stay, all else is padding; transformers masks in the same way."""
    ids = model.prompts.generation("a red circle left of the square")
    unconditional = model.prompts.unconditional(ids)
    inner = [model.prompts.pad_id] * (len(ids) - 2)
    assert unconditional == [model.prompts.bos_id, *inner, model.prompts.begin_image_id]


def test_a_response_comes_back_as_text(model: JanusModel) -> None:
    for pair in understanding_pairs(4):
        ids = model.prompts.response(pair.chosen)
        assert model.prompts.text(ids) == pair.chosen
        assert model.prompts.text([*ids, model.prompts.eos_id]) == pair.chosen


def test_a_foreign_processor_is_refused(model: JanusModel) -> None:
    """Placeholders that the network would not know would silently leave the image out."""
    with pytest.raises(ValueError, match="image token has id 4, the model's configuration says 7"):
        Prompts(model.processor, 7)


def test_word_embeddings_are_not_the_head(model: JanusModel) -> None:
    """JanusConfig ties by default; in a tied model the text head would move with the embeddings."""
    assert model.network.config.tie_word_embeddings is False
    embeddings, head = model.network.get_input_embeddings().weight, model.network.lm_head.weight
    assert embeddings.data_ptr() != head.data_ptr()
    assert not torch.equal(embeddings, head)
