"""How close a caption is to the one that it should be: scorers that need no download, and a table of their names.

The embedded default, `content_f1`, was chosen by how often it orders two sampled captions of a scene as the truth does:
`bifrons hermesflow scorers` measures it again. The networks of `bert.py` read from a folder.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

from bifrons.scorers.content import STOP_WORDS, check_lengths, lemma, words


class TextScorer(Protocol):
    """`name` says which scorer and which weights; `scores` are of each candidate against the reference of its index."""

    name: str

    def scores(self, candidates: Sequence[str], references: Sequence[str]) -> list[float]: ...


def content_units(text: str, length: int) -> Counter[tuple[str, ...]]:
    """Runs of `length` content words that stand together in one clause, as lemmas."""
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
                parts[-1].append(lemma(word))
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
    """F-measure of the bags of content words, 0 to 1; 0 for no content word.

    With `longest` above 1 it is the mean with the F-measures of runs of neighbouring words, up to that many.
    """

    def __init__(self, *, longest: int = 1) -> None:
        self.longest = longest
        self.name = "content_f1" if longest == 1 else f"content_f1 up to {longest} words"

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
    "content_f2": lambda _: ContentF1(longest=2),
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
