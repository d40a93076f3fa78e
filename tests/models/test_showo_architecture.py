"""Show-o's rows against an oracle: one sequence at a time, padded to all its slots, its mask written out by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny_janus import picture, understanding_pairs
from tiny_showo import NUM_IMAGE_TOKENS, TOKENIZER, generation_pairs, layout, make_model, phi_config
from torch import Tensor

from bifrons.models.showo.images import pixels
from bifrons.models.showo.layout import Layout
from bifrons.models.showo.magvit import ImageTokenizer, TokenizerConfig
from bifrons.models.showo.model import ShowoModel
from bifrons.models.showo.network import body_config
from bifrons.models.showo.packing import block_mask
from bifrons.models.showo.weights import tokenizer_shapes


@pytest.fixture(scope="module")
def model() -> ShowoModel:
    return make_model()


def plain_logits(model: ShowoModel, ids: list[int], seen: Tensor) -> Tensor:
    """[length, vocabulary] of one sequence with positions 0, 1, ... and an additive mask, by the whole published
    head.
    """
    added = torch.zeros(seen.shape).masked_fill(~seen, torch.finfo(torch.float32).min)
    with torch.no_grad():
        return model.network.showo(
            input_ids=torch.tensor([ids]), attention_mask=added[None, None], use_cache=False
        ).logits[0]


def test_ids_are_the_published_ones() -> None:
    """50,295 words, PAD 50295, soi 50296, eoi 50297, t2i 50300, mmu 50301, codes 50305 to 58496, mask 58497."""
    ids = Layout(num_words=50_295, num_codes=8192, num_image_tokens=1024)
    assert (ids.pad, ids.begin_image, ids.end_image, ids.draw, ids.read) == (50295, 50296, 50297, 50300, 50301)
    assert (ids.first_code, ids.mask, ids.vocabulary, ids.text_slots) == (50305, 58497, 58498, 129)
    assert ids.image([0, 8191]) == [50296, 50305, 58496, 50297]


def test_prompts_have_the_published_form(model: ShowoModel) -> None:
    words, ids = model.prompts.tokenizer, layout()
    begin, end = words.bos_token_id, words.eos_token_id
    assert model.prompts.generation("one red") == [ids.draw, begin, *words("one red").input_ids, end]
    long = model.prompts.generation("one " * 50)
    assert len(long) == ids.text_slots and long[-1] == end, "a long prompt is cut, and still ended"
    assert model.prompts.unconditional == [ids.draw, begin, end]
    assert model.prompts.understanding("how many?") == [begin, *words("USER: \nhow many? ASSISTANT:").input_ids]
    with pytest.raises(ValueError, match="begins or ends a text"):
        model.prompts.generation(f"one {words.eos_token} two")


def test_a_drawing_is_predicted_where_its_codes_stand(model: ShowoModel) -> None:
    """Every mask of both sides: text causal, image both ways and back to the text, nobody sees padding."""
    pairs, ids = generation_pairs(), layout()
    with torch.no_grad():
        found = model.log_probs(model.pack(pairs)).sums
    for row, pair in enumerate(pairs):
        prompt = model.prompts.generation(pair.prompt)
        hidden, weights = model.estimator.masks(f"{pair.id} {pair.prompt}", NUM_IMAGE_TOKENS)
        for side, codes in enumerate((pair.chosen_codes, pair.rejected_codes)):
            total = 0.0
            for mask, weight in zip(hidden, weights, strict=True):
                shown = [ids.mask if m else ids.first_code + c for m, c in zip(mask.tolist(), codes, strict=True)]
                padding = ids.text_slots - len(prompt)
                sequence = [ids.pad] * padding + prompt + [ids.begin_image, *shown, ids.end_image]
                seen = torch.eye(len(sequence), dtype=torch.bool)
                for i in range(padding, len(sequence)):
                    seen[i, padding : i + 1] = True
                    if i >= ids.text_slots:
                        seen[i, padding:] = True
                logits = plain_logits(model, sequence, seen)[ids.text_slots + 1 : -1, ids.first_code : ids.mask]
                each = logits.log_softmax(dim=-1)[torch.arange(len(codes)), torch.tensor(codes)]
                total += float(weight) * float(each[mask].double().sum()) / len(weights)
            assert float(found[row, side]) == pytest.approx(total, rel=1e-5)


def test_an_answer_is_predicted_one_place_before(model: ShowoModel) -> None:
    """One plain sequence an answer; everything up to the end of the image sees itself both ways, the task's token
    too.
    """
    pairs, ids = understanding_pairs(3), layout()
    with torch.no_grad():
        found = model.log_probs(model.pack(pairs)).sums
    for row, pair in enumerate(pairs):
        prefix = [ids.read, *ids.image(model.encode([pair.image])[0]), *model.prompts.understanding(pair.question)]
        for side, response in enumerate(model.responses(pair)):
            sequence = prefix + response
            seen = torch.ones(len(sequence), len(sequence), dtype=torch.bool).tril()
            seen[:, : NUM_IMAGE_TOKENS + 3] = True
            logits = plain_logits(model, sequence, seen)[len(prefix) - 1 : -1, : ids.num_words]
            each = logits.log_softmax(dim=-1)[torch.arange(len(response)), torch.tensor(response)]
            assert float(found[row, side]) == pytest.approx(float(each.double().sum()), rel=1e-5)


def test_the_block_mask() -> None:
    """Padding, a prefix whose first two see each other, two responses of one token."""
    segment, both = torch.tensor([[-1, 0, 0, 0, 1, 2]]), torch.tensor([[False, True, True, False, False, False]])
    rows = ["100000", "011000", "011000", "011100", "011110", "011101"]
    assert block_mask(segment, both)[0, 0].int().tolist() == [[int(seen) for seen in row] for row in rows]


def test_the_body_is_phi_as_show_o_has_it() -> None:
    config = body_config(phi_config(), layout())
    assert config.qk_layernorm and not config.tie_word_embeddings and config.vocab_size == layout().vocabulary
    assert config.resid_pdrop == 0.0, "the body's own dropout would act in training"


def test_the_image_tokenizers_names_and_sizes_are_the_published_ones() -> None:
    """Of the 13-bit tokenizer: names that its weights are published under."""
    shapes = tokenizer_shapes(TokenizerConfig())
    assert shapes["encoder.conv_in.weight"] == (128, 3, 3, 3)
    assert shapes["encoder.down.1.block.0.nin_shortcut.weight"] == (256, 128, 1, 1)
    assert shapes["encoder.down.3.downsample.conv.weight"] == (512, 512, 3, 3)
    assert "encoder.down.4.downsample.conv.weight" not in shapes and "encoder.down.4.block.3.conv2.bias" in shapes
    assert shapes["encoder.mid.attn_1.proj_out.weight"] == (512, 512, 1, 1)
    assert shapes["encoder.quant_conv.weight"] == (13, 13, 1, 1)
    assert shapes["decoder.up.4.upsample.conv.weight"] == (512, 512, 3, 3)
    assert "decoder.up.0.upsample.conv.weight" not in shapes and "decoder.up.0.block.3.norm1.weight" in shapes
    assert shapes["decoder.up.3.block.0.nin_shortcut.weight"] == (256, 512, 1, 1)
    assert shapes["decoder.conv_out.weight"] == (3, 128, 3, 3)
    assert shapes["quantize.embedding"] == (8192, 13)
    assert TokenizerConfig().shrink == 16


def test_codes_are_signs_with_the_first_channel_highest() -> None:
    tokenizer = ImageTokenizer(TOKENIZER)
    assert tokenizer.latents(torch.tensor(0b10110)).tolist() == [1, -1, 1, 1, -1]
    tokenizer.encoder = torch.nn.Identity()  # type: ignore[assignment]
    codes = torch.arange(16)[None]
    latents: Any = tokenizer.latents(codes).unflatten(1, (4, 4)).permute(0, 3, 1, 2)
    assert torch.equal(tokenizer.encode(0.3 * latents), codes), "raster order"


def test_pictures_are_scaled_and_cut_to_the_square(model: ShowoModel) -> None:
    """The shorter side is scaled, the middle kept; a picture of the right size is taken as it is."""
    import io

    import numpy as np
    from PIL import Image

    wide = np.zeros((8, 24, 3), dtype=np.uint8)
    wide[:, 8:16] = 255
    made = pixels([wide], 8)
    assert made.shape == (1, 3, 8, 8) and bool((made == 1).all())
    image = Image.open(io.BytesIO(picture(0))).resize((model.image_size, model.image_size))
    assert model.encode([image])[0] == model.encode([np.asarray(image)])[0]
