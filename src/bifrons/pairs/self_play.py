"""Self-play (HermesFlow, Section 3.4, Eq. 10): the tuned model samples anew, and its best new sample meets the pair
that stands from the round before.

    chosen = s_max;  rejected = the old winner if s_max scores above it, else the old loser.

Algorithm 1 of the paper scores captions against the image and Eq. 9 against the caption; this follows Eq. 9.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bifrons.pairs.homologous import CHUNK, Curator, HomologousInput, best_and_worst
from bifrons.records import HomologousRecord, Sample, run_key

NOT_ABOVE = "no new {noun} scores above the old loser"


def play(curator: Curator, previous: Sequence[HomologousRecord]) -> list[HomologousRecord]:
    """The next round's records, one for every input.

    Old pairs are scored again, by the scorer and the judge that score the new samples: scores of two judges are never
    compared. A face whose new best does not score above the loser it meets keeps its standing pair, and the record is
    dropped from this round. Inputs that were dropped before play again with the pair that stands **(ours)**.
    Raises ValueError for an input that the previous round did not hold, and for previous records of another round or
    of another model.
    """
    if curator.round < 2 or not previous:
        raise ValueError(f"round {curator.round} has no round before it to play against")
    by_id = {record.id: record for record in previous}
    for given in curator.every:
        if given.id not in by_id:
            raise ValueError(f"round {curator.round}: record {given.id!r} is not among those of the round before")
    rounds = {record.round for record in previous}
    if rounds - {curator.round - 1}:
        raise ValueError(f"round {curator.round} follows round {curator.round - 1}, not {sorted(rounds)}")
    for record in previous:
        if base_of(record.revision) != base_of(curator.revision):
            raise ValueError(
                f"round {curator.round}: record {record.id!r} of the round before is of another model "
                f"({record.revision}, this is {curator.revision})"
            )
    captions, drawings = curator.captions(), curator.drawings()
    old = rescored(curator, by_id)
    records: list[HomologousRecord] = []
    for given in curator.every:
        before = by_id[given.id]
        if given.id in curator.unusable or given.id not in old:
            records.append(curator.blank(given, curator.unusable.get(given.id) or before.dropped))
            continue
        old_captions, old_drawings = old[given.id]
        said, words, word_reason = meet(captions[given.id], old_captions, "caption", 0.0)
        drawn, codes, code_reason = meet(drawings[given.id], old_drawings, "drawing", curator.settings.min_best)
        record = replace(
            curator.blank(given, "not judged yet"),
            captions=said,
            drawings=drawn,
            chosen_caption=words[0],
            rejected_caption=words[1],
            chosen_drawing=codes[0],
            rejected_drawing=codes[1],
        )
        records.append(replace(record, dropped=word_reason or code_reason))
    return records


def rescored(
    curator: Curator, by_id: dict[str, HomologousRecord]
) -> dict[str, tuple[tuple[Sample, Sample], tuple[Sample, Sample]]]:
    """Old winners and losers of both faces with the scores of this round's scorer and judge, by id.

    Records without a pair on a face are left out.
    """
    found: dict[str, list[tuple[Sample, Sample]]] = {}
    paired: list[tuple[HomologousInput, tuple[Sample, Sample], tuple[Sample, Sample]]] = []
    for given in curator.inputs:
        words, codes = by_id[given.id].standing("captions"), by_id[given.id].standing("drawings")
        if words is not None and codes is not None:
            paired.append((given, words, codes))
    for side in (0, 1):
        scores = curator.scorer.scores(
            [words[side].text for _, words, _ in paired], [given.caption for given, _, _ in paired]
        )
        judged: list[float | None] = []
        for start in range(0, len(paired), CHUNK):
            some = paired[start : start + CHUNK]
            codes = [list(drawn[side].tokens) for _, _, drawn in some]
            name = f"old-{side}-{start}-{run_key({'codes': codes})}"
            judged += curator.judged(name, [given for given, _, _ in some], codes)
        for (given, words, drawn), score, accuracy in zip(paired, scores, judged, strict=True):
            found.setdefault(given.id, []).append(
                (
                    replace(words[side], score=score, scorer=curator.scorer.name),
                    replace(drawn[side], score=accuracy, scorer=curator.judge.name),
                )
            )
    return {name: ((winners[0], losers[0]), (winners[1], losers[1])) for name, (winners, losers) in found.items()}


def meet(
    new: Sequence[Sample], old: tuple[Sample, Sample], noun: str, min_best: float
) -> tuple[tuple[Sample, ...], tuple[int, int], str]:
    """Eq. 10 for one face: samples (new, old winner, old loser), the standing pair, and why it is not trained on."""
    samples = (*new, *old)
    winner, loser = len(new), len(new) + 1
    best, _ = best_and_worst(new)
    if best is None:
        reason = "the judge said nothing about any drawing" if noun == "drawing" else "no caption was finished"
        return samples, (winner, loser), reason
    score, old_score, low_score = (samples[place].score for place in (best, winner, loser))
    assert score is not None
    if old_score is None or low_score is None:
        return samples, (winner, loser), f"an old {noun} can no longer be judged"
    rejected = winner if score > old_score else loser
    against = samples[rejected].score
    assert against is not None
    if not score > against:
        return samples, (winner, loser), NOT_ABOVE.format(noun=noun)
    if not score > min_best:
        return samples, (best, rejected), f"best {noun} not above {min_best:g}"
    return samples, (best, rejected), ""


def base_of(revision: str) -> str:
    """The base's part of a revision, whose adapter stands behind a plus."""
    return revision.split("+")[0]
