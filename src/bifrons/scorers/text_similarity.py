"""How close a caption is to the one that it should be: scorers that need no download, and a table of their names.

`content_f1` counts content words, and pairs of neighbouring ones, because words alone do not say which colour belongs
to which shape. The networks of `bert.py` read from a folder.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

from bifrons.scorers.content import STOP_WORDS, words


class TextScorer(Protocol):
    """`name` says which scorer and which weights; `scores` are of each candidate against the reference of its index."""

    name: str

    def scores(self, candidates: Sequence[str], references: Sequence[str]) -> list[float]: ...


def content_units(text: str, length: int) -> Counter[tuple[str, ...]]:
    """Runs of `length` content words that stand together in one clause, plural s removed."""
    found: Counter[tuple[str, ...]] = Counter()
    for clause in clauses(text):
        for start in range(len(clause) - length + 1):
            found[tuple(clause[start : start + length])] += 1
    return found


def clauses(text: str) -> list[list[str]]:
    """Content words, parted where a stop word or a mark stands between them."""
    parts: list[list[str]] = [[]]
    for piece in text.lower().replace(",", " . ").replace(":", " . ").replace(";", " . ").split():
        for word in words(piece) or [""]:
            if not word or word in STOP_WORDS:
                parts.append([])
            else:
                singular = len(word) > 3 and word.endswith("s") and not word.endswith("ss")
                parts[-1].append(word[:-1] if singular else word)
        if piece.endswith((".", "!", "?")):
            parts.append([])
    return [part for part in parts if part]


def f_measure(candidate: Counter[tuple[str, ...]], reference: Counter[tuple[str, ...]]) -> float | None:
    """2 P R / (P + R) of two bags; None where either is empty, so that nothing is no score of 0."""
    if not candidate or not reference:
        return None
    shared = (candidate & reference).total()
    return 2 * shared / (candidate.total() + reference.total())


class ContentF1:
    """Mean F-measure of content words and of pairs of neighbouring content words, 0 to 1; 0 for no content word.

    Where one of the two texts holds no pair of neighbours, words alone decide.
    """

    name = "content_f1"

    def __init__(self, *, longest: int = 2) -> None:
        self.longest = longest
        if longest != 2:
            self.name = f"content_f1_{longest}"

    def scores(self, candidates: Sequence[str], references: Sequence[str]) -> list[float]:
        check_lengths(candidates, references)
        return [self.score(said, wanted) for said, wanted in zip(candidates, references, strict=True)]

    def score(self, candidate: str, reference: str) -> float:
        found = [
            value
            for length in range(1, self.longest + 1)
            if (value := f_measure(content_units(candidate, length), content_units(reference, length))) is not None
        ]
        return sum(found) / len(found) if found else 0.0


class ClipTextScorer:
    """Cosine of two texts in a CLIP's text tower."""

    def __init__(self, clip: str = "scenes-curation") -> None:
        from bifrons.scorers.clip import load_clip

        self.clip = load_clip(clip)
        self.name = f"clip_text {clip}"

    def scores(self, candidates: Sequence[str], references: Sequence[str]) -> list[float]:
        check_lengths(candidates, references)
        if not candidates:
            return []
        return (self.clip.embed_texts(candidates) * self.clip.embed_texts(references)).sum(dim=-1).tolist()


def check_lengths(candidates: Sequence[str], references: Sequence[str]) -> None:
    if len(candidates) != len(references):
        raise ValueError(f"{len(candidates)} candidates for {len(references)} references")


def bert(kind: str) -> Callable[[str], TextScorer]:
    def make(folder: str) -> TextScorer:
        from bifrons.scorers.bert import BertScore, ClsCosine, SentenceEncoder, load_bert

        if not folder:
            raise ValueError(f"text scorer {kind} needs a BERT checkpoint: write {kind}:FOLDER")
        network, tokenizer = load_bert(folder)
        return {"sentence": SentenceEncoder, "bertscore": BertScore, "cls": ClsCosine}[kind](
            network, tokenizer, f"{kind} {folder}"
        )

    return make


TEXT_SCORERS: dict[str, Callable[[str], TextScorer]] = {
    "content_f1": lambda _: ContentF1(),
    "clip_text": lambda name: ClipTextScorer(name or "scenes-curation"),
    "sentence": bert("sentence"),
    "bertscore": bert("bertscore"),
    "cls": bert("cls"),
}


def load_text_scorer(name: str) -> TextScorer:
    """A scorer by `name`, or by `name:folder` for one that reads a network.

    Raises ValueError for a name that does not exist and for a network that is not given.
    """
    kind, _, folder = name.partition(":")
    if kind not in TEXT_SCORERS:
        raise ValueError(f"there is no text scorer {kind!r}; there are {', '.join(TEXT_SCORERS)}")
    return TEXT_SCORERS[kind](folder)
