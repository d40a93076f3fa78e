"""transformers' own `generate`, batched, as its documentation uses it."""

from __future__ import annotations

from typing import Any

from PIL import Image

from bifrons.models.pictures import to_image


def draw(network: Any, processor: Any, prompts: list[str], guidance: float) -> list[tuple[int, ...]]:
    """Codes by `generate(generation_mode="image")`, greedy."""
    messages = [[{"role": "user", "content": [{"type": "text", "text": prompt}]}] for prompt in prompts]
    text = [processor.apply_chat_template(message, add_generation_prompt=True) for message in messages]
    inputs = processor(text=text, generation_mode="image", padding=True, return_tensors="pt").to(network.device)
    made = network.generate(**inputs, generation_mode="image", do_sample=False, guidance_scale=guidance)
    return [tuple(row) for row in made.tolist()]


def answer(
    network: Any, processor: Any, images: list[bytes], questions: list[str], limit: int, eos_id: int
) -> list[tuple[int, ...]]:
    """Answers by `generate`, greedy, all questions in one batch with left padding; an image a question, as the
    processor wants them.
    """
    messages = [
        [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]}] for question in questions
    ]
    text = [processor.apply_chat_template(message, add_generation_prompt=True) for message in messages]
    pictures: list[Image.Image] = [to_image(image) for image in images]
    inputs = processor(text=text, images=pictures, padding=True, return_tensors="pt").to(network.device, network.dtype)
    made = network.generate(**inputs, do_sample=False, max_new_tokens=limit)
    rows = made[:, inputs["input_ids"].shape[1] :].tolist()
    return [tuple(row[: row.index(eos_id)] if eos_id in row else row) for row in rows]
