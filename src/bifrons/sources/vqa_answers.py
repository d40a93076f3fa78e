"""VQAv2's answers: their normalisation and the soft accuracy of one answer against ten (Antol et al. 2015, section 4;
Goyal et al. 2017).

Written from the rules that the benchmark publishes. The official program leaves answers as they are where all ten agree
to the letter; here they are normalised always, which can only turn a wrong into a right for one that means the same.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import product

ARTICLES = frozenset(("a", "an", "the"))
COUNTED = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
NUMBERS = {"none": "0"} | {word: str(number) for number, word in enumerate(COUNTED)}
PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'  # all but the apostrophe, the colon and the period
PERIOD = re.compile(r"\.(?!\d)")  # but for the point of a decimal
COMMA_IN_NUMBER = re.compile(r"\d,\d")
CONTRACTIONS = """
ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't he'd he'd've he's
how'd how'll how's isn't it'd it'd've it'll let's ma'am mightn't mightn't've might've mustn't must've needn't not've
o'clock oughtn't shan't she'd've should've shouldn't shouldn't've somebody'd've somebody'll somebody's someone'd
someone'd've someone'll someone's something'd something'd've something'll that's there'd there'd've there're there's
they'd they'd've they'll they're they've 'twas wasn't we'd've we've weren't what'll what're what's what've when's
where'd where's where've who'd who'd've who'll who's who've why'll why're why's won't would've wouldn't wouldn't've
y'all y'all'll y'all'd've you'd you'd've you'll you're you've
"""
ENOUGH = 3  # people who gave an answer, for it to count in full


def spellings(contraction: str) -> set[str]:
    """All ways of leaving out at least one of its apostrophes."""
    parts = contraction.split("'")
    joints = product(("", "'"), repeat=len(parts) - 1)
    made = {"".join(part + joint for part, joint in zip(parts, (*joint, ""), strict=True)) for joint in joints}
    return made - {contraction}


MISSPELT = {spelling: right for right in CONTRACTIONS.split() for spelling in spellings(right)}


def normalise_answer(answer: str) -> str:
    """Lower case; punctuation gone, or a space where it joins two words; periods gone, but not from decimals; number
    words to ten as digits; no articles; contractions with their apostrophes.
    """
    answer = " ".join(answer.split())
    kept = answer
    for sign in PUNCTUATION:
        apart = f"{sign} " in answer or f" {sign}" in answer or COMMA_IN_NUMBER.search(answer) is not None
        kept = kept.replace(sign, "" if apart else " ")
    words = (NUMBERS.get(word, word) for word in PERIOD.sub("", kept).lower().split())
    return " ".join(MISSPELT.get(word, word) for word in words if word not in ARTICLES)


def soft_accuracy(answer: str, given: Sequence[str]) -> float:
    """min(n / 3, 1) averaged over leaving out each person in turn, n the others who gave this answer: in [0, 1].

    Raises ValueError when nobody answered.
    """
    if not given:
        raise ValueError("no person's answers are given, so no answer can be scored against them")
    said = Counter(map(normalise_answer, given))[normalise_answer(answer)]
    shares = [min((said - left_out) / ENOUGH, 1.0) for left_out in (1, 0)]  # without one who agrees, one who does not
    return (said * shares[0] + (len(given) - said) * shares[1]) / len(given)
