"""Malformed input, a table: each is one line that names file and record, exit code 2, and costs nothing written before.

No case reaches a trained model: what is wrong is found before one is loaded, or in the loading itself.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import struct
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bifrons.cli import main
from bifrons.records import GenerationPair, Provenance, UnderstandingPair, write_pairs
from bifrons.sources import scene_examples
from photographs import photograph, write_coco

IMAGE = "000000000001.jpg"
BUILD = ("pairs", "build", "understanding", "--source", "coco", "--captions", "captions.json", "--images", "images")
BUILD = (*BUILD, "--instances", "instances.json", "--count", "8", "--evaluation-share", "0.000001")
BUILD = (*BUILD, "--out", "out.parquet", "--model", "absent/model")
TABLE = ("pairs", "build", "understanding", "--source", "table", "--count", "1", "--out", "out.parquet", "--table")
IMPORT = ("pairs", "import", "mine.jsonl", "--out", "out.parquet")
ROW: dict[str, Any] = {"prompt": "What?", "chosen": "a", "rejected": "b", "images": [f"images/{IMAGE}"]}


@dataclass(frozen=True)
class Case:
    """What is typed, what is broken beforehand, and what the one line has to name."""

    name: str
    typed: tuple[str, ...]
    broken: Callable[[Path], object]
    named: tuple[str, ...]


def edit(file: str, change: Callable[[Any], object]) -> Callable[[Path], object]:
    """Change a JSON file's content in place."""

    def apply(folder: Path) -> None:
        content = json.loads((folder / file).read_text())
        change(content)
        (folder / file).write_text(json.dumps(content))

    return apply


def put(file: str, content: str | bytes | list[Any]) -> Callable[[Path], object]:
    """Write a file; a list becomes JSON lines."""
    text = "\n".join(map(json.dumps, content)) if isinstance(content, list) else content
    data = text if isinstance(text, bytes) else text.encode()
    return lambda folder: (folder / file).write_bytes(data)


def first_image(name: str) -> Callable[[Path], object]:
    return edit("captions.json", lambda c: c["images"][0].update(file_name=name))


def bomb(folder: Path) -> None:
    """A picture that says it has 3.6 thousand million pixels."""
    chunks = [b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0), b"IDAT" + zlib.compress(b"")]
    made = [struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks]
    (folder / "images" / IMAGE).write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(made))


def link_out(folder: Path) -> None:
    (folder / "secret.jpg").write_bytes(photograph(0))
    (folder / "images" / IMAGE).unlink()
    (folder / "images" / IMAGE).symlink_to(folder / "secret.jpg")


def image_is_a_folder(folder: Path) -> None:
    (folder / "images" / IMAGE).unlink()
    (folder / "images" / IMAGE).mkdir()


def pairs_of(*images: bytes) -> list[UnderstandingPair]:
    made = Provenance(builder="test")
    return [
        UnderstandingPair(id=f"p{i}", image=image, question="What?", chosen="a", rejected="b", provenance=made)
        for i, image in enumerate(images)
    ]


def drawn(folder: Path) -> None:
    pair = GenerationPair(
        id="g", prompt="a dog", chosen_codes=(1, 2), rejected_codes=(3, 4), provenance=Provenance(builder="test")
    )
    write_pairs(folder / "mine.parquet", [pair])


def rewritten(**columns: list[Any]) -> Callable[[Path], object]:
    """A pair file whose columns are replaced behind the library's back."""

    def apply(folder: Path) -> None:
        import pyarrow as arrow
        import pyarrow.parquet as parquet

        write_pairs(folder / "mine.parquet", pairs_of(photograph(1), photograph(2)))
        rows = parquet.read_table(folder / "mine.parquet").to_pydict() | columns
        parquet.write_table(arrow.table(rows), folder / "mine.parquet")

    return apply


def study(text: str) -> Callable[[Path], object]:
    return put("mine.toml", text)


COCO_STUDY = '[data]\nsource = "coco"\nimages = "images"\n'
CAPTIONS = [
    ("broken JSON", put("captions.json", '{"images": ['), "not JSON"),
    ("a list", put("captions.json", "[1]"), "is a JSON list"),
    ("no annotations", edit("captions.json", lambda c: c.pop("annotations")), "has no list 'annotations'"),
    ("annotations by name", edit("captions.json", lambda c: c.update(annotations={})), "has no list 'annotations'"),
    ("image without id", edit("captions.json", lambda c: c["images"][3].pop("id")), "image record 4: has no 'id'"),
    ("image id a text", edit("captions.json", lambda c: c["images"][3].update(id="4")), "image record 4: 'id' is of"),
    ("image id twice", edit("captions.json", lambda c: c["images"][3].update(id=1)), "image id 1 occurs twice"),
    ("caption id twice", edit("captions.json", lambda c: c["annotations"][3].update(id=10)), "id 10 occurs twice"),
    ("lost caption", edit("captions.json", lambda c: c["annotations"][2].update(image_id=99)), "record 3: there is no"),
    ("caption a number", edit("captions.json", lambda c: c["annotations"][2].update(caption=5)), "record 3: 'caption'"),
    ("caption empty", edit("captions.json", lambda c: c["annotations"][2].update(caption=" ")), "'caption' is empty"),
    ("annotation a number", edit("captions.json", lambda c: c["annotations"].insert(0, 7)), "annotation record 1: is"),
    ("no captions", edit("captions.json", lambda c: c.update(annotations=[])), "holds no captions"),
    ("no UTF-8", put("captions.json", b'{"images": "\xff"}'), "not UTF-8"),
    ("too deep", put("captions.json", '{"images": ' + "[" * 100_000), "not JSON"),
    ("missing", lambda folder: (folder / "captions.json").unlink(), "no such file"),
    ("too few", edit("captions.json", lambda c: c["images"].pop()), "there is no image 8"),
]
INSTANCES = [
    ("broken JSON", put("instances.json", "{"), "not JSON"),
    ("no categories", edit("instances.json", lambda c: c.pop("categories")), "has no list 'categories'"),
    ("three numbers", edit("instances.json", lambda c: c["annotations"][1]["bbox"].pop()), "record 2: 'bbox'"),
    ("text in a box", edit("instances.json", lambda c: c["annotations"][1].update(bbox=["a"] * 4)), "record 2: 'bbox'"),
    (
        "negative box",
        edit("instances.json", lambda c: c["annotations"][1].update(bbox=[0, 0, -1, 1])),
        "record 2: 'bbox'",
    ),
    (
        "box a number",
        edit("instances.json", lambda c: c["annotations"][1].update(bbox=3)),
        "record 2: 'bbox' is of type",
    ),
    ("no category", edit("instances.json", lambda c: c["annotations"][1].update(category_id=99)), "no category 99"),
    (
        "no image",
        edit("instances.json", lambda c: c["annotations"][1].update(image_id=99)),
        "record 2: there is no image",
    ),
]
IMAGES = [
    ("missing", lambda folder: (folder / "images" / IMAGE).unlink(), "there is no image"),
    ("empty", put(f"images/{IMAGE}", b""), "it is empty"),
    ("cut short", put(f"images/{IMAGE}", photograph(1)[:150]), "cannot be read as an image"),
    ("bomb", bomb, "more than"),
    ("text", put(f"images/{IMAGE}", b"no image"), "format is not known"),
    ("folder", image_is_a_folder, "there is no image"),
    ("link out", link_out, "outside the image folder"),
]
NAMES = [
    ("../captions.json", "outside"),
    ("/etc/hostname", "outside"),
    ("a\0b", "no file name"),
    ("a" * 3000, "image 1"),
]
IMPORTS: list[tuple[str, list[Any], str]] = [
    ("no chosen", [ROW, ROW | {"chosen": ""}], "record 2: has no 'chosen'"),
    ("two images", [ROW | {"images": ROW["images"] * 2}], "record 1: has 2 images"),
    ("same answers", [ROW | {"chosen": "b"}], "record 1: "),
    ("several turns", [ROW | {"prompt": [{"role": "user", "content": "x"}] * 2}], "record 1: the prompt has 2 turns"),
    ("wrong role", [ROW | {"chosen": [{"role": "system", "content": "x"}]}], "record 1: chosen is a turn of 'system'"),
    ("id twice", [ROW | {"id": "x"}, ROW | {"id": "x"}], "the id 'x' occurs twice"),
    ("score a text", [ROW | {"chosen_score": "9"}], "record 1: 'chosen_score'"),
    ("image elsewhere", [ROW | {"images": ["../../etc/passwd"]}], "record 1: the image"),
    ("a number", [3], "record 1: is of type int"),
]
STUDIES = [
    ("unknown key", '[data]\nsauce = "coco"\n', "unknown key 'data.sauce'"),
    ("unknown source", '[data]\nsource = "coca"\n', "data.source"),
    ("no captions", COCO_STUDY, "the source coco needs captions"),
    ("absent captions", COCO_STUDY + 'captions = "absent.json"\n', "absent.json: no such file"),
    ("planted photographs", COCO_STUDY + 'captions = "captions.json"\ngeneration_kind = "planted"\n', "planted"),
    ("share above 1", "[data]\nevaluation_share = 2\n", "data.evaluation_share"),
    ("not TOML", "[data", "not TOML"),
    ("images without a source", '[data]\nimages = "images"\n', "the source scenes has no images"),
]

CASES = [
    *(Case(f"captions: {n}", BUILD, b, ("captions.json", m)) for n, b, m in CAPTIONS),
    *(Case(f"instances: {n}", BUILD, b, ("instances.json", m)) for n, b, m in INSTANCES),
    *(Case(f"image: {n}", BUILD, b, ("captions.json, image 1", IMAGE, m)) for n, b, m in IMAGES),
    *(Case(f"image name: {n[:20]!r}", BUILD, first_image(n), ("captions.json, image 1", m)) for n, m in NAMES),
    Case("image folder missing", BUILD, lambda f: shutil.rmtree(f / "images"), ("images: no such image folder",)),
    Case("more images than there are", (*BUILD, "--count", "9"), lambda f: None, ("captions.json", "has 8 images")),
    Case("out exists", (*BUILD, "--out", "precious.parquet"), lambda f: None, ("precious.parquet", "exists already")),
    Case("count 0", (*BUILD, "--count", "0"), lambda f: None, ("--count is 0",)),
    Case("table: broken line", (*TABLE, "t.jsonl"), put("t.jsonl", '{"a": 1}\n{"a"\n'), ("t.jsonl, line 2: not JSON",)),
    Case("table: ragged", (*TABLE, "t.csv"), put("t.csv", "image,caption\na.jpg\n"), ("t.csv, record 1: has not",)),
    Case("table: no caption", (*TABLE, "t.jsonl"), put("t.jsonl", [{"image": IMAGE}]), ("t.jsonl, record 1: has no",)),
    Case("table: empty", (*TABLE, "t.jsonl"), put("t.jsonl", ""), ("t.jsonl: holds no records",)),
    Case("table: no data set", (*TABLE, "nobody/nothing"), lambda f: None, ("nobody/nothing: cannot be loaded",)),
    *(Case(f"import: {n}", IMPORT, put("mine.jsonl", rows), ("mine.jsonl", m)) for n, rows, m in IMPORTS),
    Case(
        "pairs: broken image",
        ("pairs", "check", "mine.parquet"),
        lambda f: write_pairs(f / "mine.parquet", pairs_of(photograph(1), photograph(2)[:99])),
        ("mine.parquet: p1: cannot be read",),
    ),
    Case(
        "pairs: overlap",
        ("pairs", "check", "mine.parquet", "--items", "3"),
        lambda f: write_pairs(f / "mine.parquet", pairs_of(scene_examples("evaluation", 2, 0)[1].image)),
        ("scene-evaluation-0-1 shares its image", "mine.parquet: p0"),
    ),
    Case("pairs: id twice", ("pairs", "show", "mine.parquet"), rewritten(id=["x", "x"]), ("mine.parquet: the id 'x'",)),
    Case("pairs: null", ("pairs", "show", "mine.parquet"), rewritten(chosen=["a", None]), ("mine.parquet, record 1:",)),
    Case(
        "pairs: no image", ("pairs", "show", "mine.parquet"), rewritten(image=[b"", b"x"]), ("mine.parquet, record 0:",)
    ),
    Case(
        "pairs: image a text", ("pairs", "show", "mine.parquet"), rewritten(image=["a", "b"]), ("record 0: image is",)
    ),
    Case("pairs: cut short", ("pairs", "show", "mine.parquet"), put("mine.parquet", b"PAR1"), ("not a Parquet file",)),
    Case(
        "export: drawings",
        ("pairs", "export", "mine.parquet", "--out", "o.jsonl"),
        drawn,
        ("mine.parquet", "only text"),
    ),
    Case(
        "export: ending", ("pairs", "export", "precious.parquet", "--out", "o.txt"), lambda f: None, ("o.txt", ".jsonl")
    ),
    *(Case(f"study: {n}", ("study", "mine.toml"), study(t), ("mine.toml", m)) for n, t, m in STUDIES),
]


def no_space(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def half_a_table(table: Any, where: Path) -> None:
    Path(where).write_bytes(b"PAR1 half of it")
    no_space()


FULL = [
    (IMPORT, "pyarrow.parquet.write_table", half_a_table, "out.parquet"),
    (
        ("pairs", "export", "precious.parquet", "--out", "o.parquet"),
        "pyarrow.parquet.write_table",
        no_space,
        "o.parquet",
    ),
    (("pairs", "export", "precious.parquet", "--out", "o.jsonl"), "pathlib.Path.write_bytes", no_space, "o_images"),
    (("pairs", "show", "precious.parquet", "--html", "page.html"), "pathlib.Path.write_text", no_space, "page.html"),
    (("pairs", "show", "precious.parquet", "--html", "page.html"), "pathlib.Path.replace", no_space, "page.html"),
]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_coco(tmp_path_factory.mktemp("malformed") / "coco", 8)
    write_pairs(folder / "precious.parquet", pairs_of(photograph(5)))
    return folder


@pytest.fixture
def folder(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of one's own, in which the verb is run."""
    made = tmp_path / "work"
    shutil.copytree(template, made)
    monkeypatch.chdir(made)
    return made


def state(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def refused(typed: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a verb ends with."""
    monkeypatch.setattr(sys, "argv", ["bifrons", *typed])
    with pytest.raises(SystemExit) as stopped:
        main()
    errors = capsys.readouterr().err
    assert stopped.value.code == 2, errors
    assert errors.startswith("bifrons: ") and errors.count("\n") == 1 and "Traceback" not in errors, errors
    return errors


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_malformed_input(
    case: Case, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    case.broken(folder)
    before = state(folder)
    errors = refused(case.typed, monkeypatch, capsys)
    assert all(part in errors for part in case.named), errors
    assert state(folder) == before


@pytest.mark.parametrize(("typed", "place", "full", "named"), FULL)
def test_a_disk_that_is_full(
    typed: tuple[str, ...],
    place: str,
    full: Callable[..., None],
    named: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The file that could not be written is named; half of it does not stay, and what was there does."""
    put("mine.jsonl", [ROW])(folder)
    (folder / "page.html").write_text("an older page")
    before = state(folder)
    monkeypatch.setattr(place, full)
    errors = refused(typed, monkeypatch, capsys)
    monkeypatch.undo()
    assert named in errors and "No space left on device" in errors
    assert state(folder) == before


def test_the_table_is_long_enough() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 60
