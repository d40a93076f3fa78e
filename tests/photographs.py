"""A COCO of a handful of made pictures in the exact layout, whose every part a test can break."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

THINGS = ("person", "dog", "wine glass", "umbrella", "car", "apple")


def photograph(seed: int, size: tuple[int, int] = (48, 32)) -> bytes:
    """A JPEG of coloured blocks."""
    blocks = np.random.default_rng(seed).integers(0, 256, (size[1] // 8, size[0] // 8, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(blocks.repeat(8, axis=0).repeat(8, axis=1)).save(buffer, format="JPEG", quality=90)
    return buffer.getvalue()


def captions_of(count: int) -> dict[str, Any]:
    """Two captions each, all different."""
    images = [{"id": i, "file_name": f"{i:012}.jpg", "width": 48, "height": 32} for i in range(1, count + 1)]
    said = [
        {"id": 10 * i + k, "image_id": i, "caption": f"A {thing} number {i} beside a {other}."}
        for i in range(1, count + 1)
        for k, (thing, other) in enumerate((("dog", "car"), ("cat", "bus")))
    ]
    return {"info": {}, "licenses": [], "type": "captions", "images": images, "annotations": said}


def instances_of(count: int) -> dict[str, Any]:
    """Image i holds i % 4 of each of the first i % 6 things, side by side from left to right, each twice as wide."""
    boxes: list[dict[str, Any]] = []
    for i in range(1, count + 1):
        for k in range(i % 6):
            for copy in range(max(1, i % 4)):
                box = [4.0 * (2**k - 1) + 200 * copy, 8.0, 4.0 * 2**k, 8.0]
                boxes.append({"id": len(boxes), "image_id": i, "category_id": k + 1, "bbox": box, "iscrowd": 0})
    categories = [{"id": k + 1, "name": name} for k, name in enumerate(THINGS)]
    images = [{"id": i, "file_name": f"{i:012}.jpg"} for i in range(1, count + 1)]
    return {"images": images, "annotations": boxes, "categories": categories}


def write_coco(folder: Path, count: int = 24) -> Path:
    """`captions.json`, `instances.json` and `images` in a folder."""
    (folder / "images").mkdir(parents=True)
    for i in range(1, count + 1):
        (folder / "images" / f"{i:012}.jpg").write_bytes(photograph(i))
    (folder / "captions.json").write_text(json.dumps(captions_of(count)))
    (folder / "instances.json").write_text(json.dumps(instances_of(count)))
    return folder
