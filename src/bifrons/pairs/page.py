"""A page that shows pairs with their pictures. Every text is escaped; the page needs no file beside it."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

from jinja2 import Environment
from PIL import Image

from bifrons.protocol import UnifiedModel
from bifrons.records import GenerationPair, Pair, UnderstandingPair
from bifrons.records.pictures import to_image

SHOWN = 320  # pixels of a thumbnail's longer side
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 66rem; margin: 2rem auto; padding: 0 1rem; }
article { display: flex; flex-wrap: wrap; gap: 1rem; border-top: 1px solid #8884; padding: 1rem 0; }
figure { margin: 0; } figcaption, .made { color: GrayText; font-size: .85rem; }
img { width: 12rem; image-rendering: auto; display: block; } img.small { image-rendering: pixelated; }
dl { flex: 1 1 20rem; margin: 0; } dt { color: GrayText; font-size: .85rem; } dd { margin: 0 0 .5rem; }
</style></head><body>
<h1>{{ title }}</h1>
<p>{{ rows | length }} of {{ total }} pairs.</p>
{% for row in rows %}<article>
{% for image in row.images %}<figure><img{% if image.small %} class="small"{% endif %} src="data:image/png;base64,{{
image.data }}" alt="{{ image.name }}"><figcaption>{{ image.name }}</figcaption></figure>
{% endfor %}<dl>{% for name, text in row.texts %}<dt>{{ name }}</dt><dd>{{ text }}</dd>{% endfor %}
<dd class="made">{{ row.made }}</dd></dl>
</article>
{% endfor %}</body></html>
"""


def pairs_page(title: str, pairs: Sequence[Pair], count: int, model: UnifiedModel | None = None) -> str:
    """HTML of the first `count` pairs. Drawings need the model whose codes they are; without one they have no
    pictures.
    """
    rows = [row_of(pair, model) for pair in pairs[:count]]
    return Environment(autoescape=True).from_string(PAGE).render(title=title, rows=rows, total=len(pairs))


def row_of(pair: Pair, model: UnifiedModel | None) -> dict[str, Any]:
    made = pair.provenance
    scores = (
        ""
        if made.chosen_score is None or made.rejected_score is None
        else (f"{made.scorer or 'score'} {made.chosen_score:.3g} > {made.rejected_score:.3g}")
    )
    row: dict[str, Any] = {
        "made": ", ".join(part for part in (pair.id, pair.kind, made.builder, made.model, scores) if part)
    }
    if isinstance(pair, UnderstandingPair):
        image = to_image(pair.image, f"understanding pair {pair.id!r}")
        row["images"] = [thumbnail("image", image)]
        row["texts"] = [("question", pair.question), ("chosen", pair.chosen), ("rejected", pair.rejected)]
        return row
    row["texts"] = [("prompt", pair.prompt)]
    row["images"] = [] if model is None else drawings(pair, model)
    return row


def drawings(pair: GenerationPair, model: UnifiedModel) -> list[dict[str, Any]]:
    decoded = model.decode([pair.chosen_codes, pair.rejected_codes])
    named = zip(("chosen", "rejected"), decoded, strict=True)
    return [thumbnail(name, Image.fromarray(pixels)) for name, pixels in named]


def thumbnail(name: str, image: Image.Image) -> dict[str, Any]:
    small = max(image.size) <= SHOWN // 4
    image.thumbnail((SHOWN, SHOWN))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return {"name": name, "data": base64.b64encode(buffer.getvalue()).decode(), "small": small}
