"""The page of pairs: pictures inside, every text escaped."""

from __future__ import annotations

import base64
import io
import re

from PIL import Image

from bifrons.pairs import pairs_page, real_against_generated
from bifrons.records import Provenance, UnderstandingPair
from bifrons.sources import scene_examples
from photographs import photograph
from stand_in import ByVerifier, StandIn, one_object_less


def pictures(page: str) -> list[Image.Image]:
    data = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    return [Image.open(io.BytesIO(base64.b64decode(text))) for text in data]


def test_texts_are_escaped_and_the_picture_is_inside() -> None:
    pair = UnderstandingPair(
        id='<img src="x">',
        image=photograph(1, (640, 400)),
        question="<script>alert(1)</script>",
        chosen="a & b",
        rejected='"quoted"',
        provenance=Provenance(builder="<b>test</b>"),
    )
    page = pairs_page("<title>", [pair] * 3, 2)
    assert "<script" not in page and "<b>" not in page and '<img src="x"' not in page
    assert "&lt;script&gt;" in page and "a &amp; b" in page and "2 of 3 pairs" in page
    assert [image.size for image in pictures(page)] == [(320, 200)] * 2
    assert "http" not in page


def test_drawings_are_decoded_side_by_side() -> None:
    model, examples = StandIn(spoil=one_object_less), scene_examples("pairs", 2, 0)
    pairs = real_against_generated(model, examples, ByVerifier()).pairs  # type: ignore[arg-type]
    page = pairs_page("drawn", pairs, 5, model)  # type: ignore[arg-type]
    assert len(pictures(page)) == 4 and page.count("<figcaption>chosen") == 2
    assert not pictures(pairs_page("codes", pairs, 5))
