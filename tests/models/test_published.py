"""A checkpoint in the published file layout: what is loaded is what transformers itself makes of the same files."""

from __future__ import annotations

import copy
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from published_layout import NUM_CODES, NUM_IMAGE_TOKENS, REAL_TOKENIZER, write_checkpoint, write_tokenizer
from tiny_janus import BY_HAND, draws_as_janus_does, picture
from transformers import JanusForConditionalGeneration, JanusProcessor, PreTrainedTokenizerFast
from transformers.models.janus.image_processing_pil_janus import JanusImageProcessorPil
from transformers.models.janus.processing_janus import DEFAULT_SYSTEM_PROMPT

from bifrons import load
from bifrons.models.janus.prompts import Prompts
from bifrons.models.janus.stand_in import SPECIAL_IDS
from bifrons.protocol import Sampling
from bifrons.records import GenerationPair, UnderstandingPair

QUESTION, PROMPT = "What is in the picture?", "A red bus in the snow."
BOS, EOS, IMAGE = (SPECIAL_IDS[t] for t in ("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<image_placeholder>"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("published") / "tiny-janus-pro")


@pytest.fixture(scope="module")
def model(folder: Path) -> Any:
    return load(str(folder), device="cpu")


@pytest.fixture(scope="module")
def processor(folder: Path) -> JanusProcessor:
    """Put together by transformers' classes from the same files, by hand: AutoProcessor would want torchvision."""
    tokenizer: Any = PreTrainedTokenizerFast.from_pretrained(folder)
    template = (folder / "chat_template.jinja").read_text(encoding="utf-8")
    images = JanusImageProcessorPil.from_pretrained(folder)
    return JanusProcessor(
        images,
        tokenizer,
        chat_template=template,
        use_default_system_prompt=True,
        num_image_tokens=NUM_IMAGE_TOKENS,
    )


@pytest.fixture(scope="module")
def plain(folder: Path) -> Any:
    """transformers' own network, as anyone would load it."""
    return JanusForConditionalGeneration.from_pretrained(folder)


def asked(processor: JanusProcessor, question: str, image: Any) -> Any:
    """The one call that transformers documents: template, system prompt, image tokens and ids."""
    content = [{"type": "image", "image": image}, {"type": "text", "text": question}]
    return processor.apply_chat_template(
        [{"role": "user", "content": content}],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    )


def test_understanding_prompts_are_the_processors(model: Any, processor: JanusProcessor) -> None:
    """With the system prompt that the published processor puts in front, image tokens and all."""
    image = Image.open(io.BytesIO(picture(0)))
    ids = model.prompts.understanding(QUESTION)
    assert ids == asked(processor, QUESTION, image)["input_ids"][0].tolist()
    assert ids.count(IMAGE) == NUM_IMAGE_TOKENS and ids[0] == BOS and ids.count(BOS) == 1
    assert model.prompts.text(ids).startswith(DEFAULT_SYSTEM_PROMPT.strip())


def test_generation_prompts_are_the_processors(model: Any, processor: JanusProcessor) -> None:
    """Without a system prompt, up to begin of image."""
    turn = [{"role": "user", "content": [{"type": "text", "text": PROMPT}]}]
    text = processor.apply_chat_template(turn, add_generation_prompt=True)
    called = processor(text=text, generation_mode="image", return_tensors="pt")
    ids = model.prompts.generation(PROMPT)
    assert ids == called["input_ids"][0].tolist()
    assert model.prompts.text(ids) == f"<|User|>: {PROMPT}\n\n<|Assistant|>:"


def test_answers_stand_where_the_template_sets_them(model: Any, processor: JanusProcessor) -> None:
    """Prompt and answer together are the ids of the whole conversation: a space stands between role and answer."""
    question = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": QUESTION}]}
    answer = {"role": "assistant", "content": [{"type": "text", "text": "A bus."}]}
    text = processor.apply_chat_template([question, answer])
    whole = processor(text=text, images=Image.open(io.BytesIO(picture(0))), return_tensors="pt")["input_ids"][0]
    assert [*model.prompts.understanding(QUESTION), *model.prompts.response("A bus.")] == whole.tolist()
    assert model.prompts.text(model.prompts.response("A bus.")) == "A bus."


@pytest.mark.parametrize("token", ["<image_placeholder>", "<begin_of_image>", "<end_of_image>"])
def test_a_text_that_would_be_an_image_is_refused(model: Any, token: str) -> None:
    for call in (model.prompts.understanding, model.prompts.generation):
        with pytest.raises(ValueError, match=f"holds {token}"):
            call(f"what is {token}?")


def test_the_text_head_is_not_tied(model: Any) -> None:
    """The published config.json does not say so, JanusConfig ties by default, and the files hold both."""
    words, head = model.network.get_input_embeddings().weight, model.network.lm_head.weight
    assert words.data_ptr() != head.data_ptr() and not torch.equal(words, head)


def understanding_pair() -> UnderstandingPair:
    answers = {"chosen": "A red bus.", "rejected": "No."}
    return UnderstandingPair(id="u", image=picture(0), question=QUESTION, provenance=BY_HAND, **answers)


def generation_pair() -> GenerationPair:
    codes = np.random.default_rng(0).integers(0, NUM_CODES, size=(2, NUM_IMAGE_TOKENS)).tolist()
    drawings = {"chosen_codes": tuple(codes[0]), "rejected_codes": tuple(codes[1])}
    return GenerationPair(id="g", prompt=PROMPT, provenance=BY_HAND, **drawings)


def plain_answer(plain: Any, processor: JanusProcessor, pair: UnderstandingPair, text: str) -> torch.Tensor:
    """The oracle: transformers' forward on transformers' inputs, with the head in fp32."""
    inputs = asked(processor, pair.question, Image.open(io.BytesIO(pair.image)))
    target = torch.tensor([[*processor.tokenizer(f" {text}", add_special_tokens=False).input_ids, EOS]])
    ids = torch.cat([inputs["input_ids"], target], dim=1)
    pixels = inputs["pixel_values"].to(plain.dtype)
    hidden = plain.model(input_ids=ids, pixel_values=pixels, use_cache=False).last_hidden_state
    logits = hidden.float() @ plain.lm_head.weight.float().T
    return logits[:, -target.shape[1] - 1 : -1].log_softmax(-1).gather(-1, target[..., None]).double().sum()


def plain_drawing(plain: Any, processor: JanusProcessor, pair: GenerationPair, row: tuple[int, ...]) -> torch.Tensor:
    turn = [{"role": "user", "content": [{"type": "text", "text": pair.prompt}]}]
    text = processor.apply_chat_template(turn, add_generation_prompt=True)
    ids = processor(text=text, generation_mode="image", return_tensors="pt")["input_ids"]
    target = torch.tensor([row])
    embeds = [plain.get_input_embeddings()(ids), plain.prepare_embeddings_for_image_generation(target)]
    body = plain.model.language_model(inputs_embeds=torch.cat(embeds, dim=1), use_cache=False)
    head = copy.deepcopy(plain.model.generation_head).float()
    logits = head(body.last_hidden_state.float())
    return logits[:, -len(row) - 1 : -1].log_softmax(-1).gather(-1, target[..., None]).double().sum()


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 5e-3)], ids=["fp32", "bf16"])
def test_log_probs_are_those_of_the_plain_network(
    folder: Path, model: Any, plain: Any, processor: JanusProcessor, dtype: torch.dtype, tolerance: float
) -> None:
    """Both tasks; in bf16 up to the rounding of another order of sums, about 1 in 256 a step of the body."""
    if dtype != torch.float32:
        model = load(str(folder), device="cpu", dtype=dtype)
        plain = JanusForConditionalGeneration.from_pretrained(folder, dtype=dtype)
    seen, drawn = understanding_pair(), generation_pair()
    with torch.no_grad():
        answers = [plain_answer(plain, processor, seen, text) for text in (seen.chosen, seen.rejected)]
        drawings = [plain_drawing(plain, processor, drawn, row) for row in (drawn.chosen_codes, drawn.rejected_codes)]
        found = torch.cat([model.log_probs(model.pack([pair])).sums for pair in (seen, drawn)])
    torch.testing.assert_close(found, torch.stack([*answers, *drawings]).view(2, 2), rtol=tolerance, atol=tolerance)


@draws_as_janus_does
def test_greedy_drawings_are_those_of_generate(model: Any, plain: Any, processor: JanusProcessor) -> None:
    """With the checkpoint's own guidance and begin-of-image id, read from its generation_config.json."""
    turn = [{"role": "user", "content": [{"type": "text", "text": PROMPT}]}]
    text = processor.apply_chat_template(turn, add_generation_prompt=True)
    inputs = processor(text=text, generation_mode="image", return_tensors="pt")
    made = plain.generate(**inputs, generation_mode="image", do_sample=False)
    assert model.guidance == 5
    assert model.draw([PROMPT], Sampling(temperature=0.0))[0].codes == tuple(made[0].tolist())


def test_greedy_answers_are_those_of_generate(model: Any, plain: Any, processor: JanusProcessor) -> None:
    inputs = asked(processor, QUESTION, Image.open(io.BytesIO(picture(0))))
    made = plain.generate(**inputs, generation_mode="text", do_sample=False, max_new_tokens=8)
    own = model.answer([picture(0)], [QUESTION], Sampling(temperature=0.0, max_new_tokens=8))[0]
    expected = made[0, inputs["input_ids"].shape[1] :].tolist()
    assert list(own.tokens) == (expected[: expected.index(EOS)] if EOS in expected else expected)


@pytest.mark.skipif(not REAL_TOKENIZER.is_dir(), reason="the real tokenizer is not here")
def test_the_real_vocabulary(model: Any, tmp_path: Path) -> None:
    """DeepSeek's own words: every id that its encoder gives, Janus's tokens at their ids, 17 tokens where transformers'
    own test of the published checkpoint counts 17, and prompts that read back.
    """
    write_tokenizer(tmp_path, real=True)
    tokenizer: Any = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    assert len(tokenizer) == 102_400
    assert tokenizer.convert_tokens_to_ids(list(SPECIAL_IDS)) == list(SPECIAL_IDS.values())
    lines = (REAL_TOKENIZER / "encode_vectors.txt").read_text(encoding="utf-8").split("\n__ggml_vocab_test__\n")
    ids = (REAL_TOKENIZER / "encode_vectors.ids").read_text(encoding="utf-8").split("\n")
    assert len(lines) > 40
    for text, row in zip(lines, ids, strict=False):
        assert tokenizer(text, add_special_tokens=False).input_ids == [int(i) for i in row.split()], text
    portrait = "A portrait of young girl. masterpiece, film grained, best quality.<begin_of_image>"
    assert len(tokenizer(portrait).input_ids) == 17
    processor = JanusProcessor(
        model.processor.image_processor,
        tokenizer,
        chat_template=model.processor.chat_template,
        use_default_system_prompt=True,
        num_image_tokens=NUM_IMAGE_TOKENS,
    )
    prompts = Prompts(processor, IMAGE)
    assert prompts.understanding(QUESTION) == asked(processor, QUESTION, picture_of(0))["input_ids"][0].tolist()
    assert prompts.text(prompts.generation(PROMPT)) == f"<|User|>: {PROMPT}\n\n<|Assistant|>:"
    assert prompts.lead == " " and prompts.text(prompts.response("A bus.")) == "A bus."


def picture_of(seed: int) -> Image.Image:
    return Image.open(io.BytesIO(picture(seed)))
