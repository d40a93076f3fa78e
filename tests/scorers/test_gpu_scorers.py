"""The networks of the scorers give a GPU's user what a CPU's user gets. Skipped without a GPU."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel, BertTokenizerFast

from bifrons.scorers.bert import BertScore, ClsCosine, SentenceEncoder, load_bert
from bifrons.scorers.clip import load_clip
from bifrons.scorers.inception import Inception, InceptionDistance
from bifrons.scorers.lpips import Lpips, LpipsScorer

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
PICTURES = list(np.random.default_rng(0).integers(0, 256, size=(4, 64, 64, 3), dtype=np.uint8))
SAID, MEANT = ["a red circle", "dog", "big"], ["a red square", "a cat", "dog big"]


def on_both(scorer: Any, measure: Callable[[Any], Any]) -> tuple[Any, Any]:
    there = copy.deepcopy(scorer)
    scorer.network.cpu()
    there.network.cuda()
    return measure(scorer), measure(there)


def test_clip_scores() -> None:
    here, there = on_both(load_clip("scenes-evaluation"), lambda clip: clip.scores(PICTURES, [*SAID, "cat"]))
    assert there == pytest.approx(here, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize("kind", ["alex", "vgg"])
def test_lpips(kind: Any) -> None:
    torch.manual_seed(0)
    network = Lpips(kind)
    for weight in network.weights:
        weight.abs_()
    scorer = LpipsScorer(network)
    here, there = on_both(scorer, lambda s: [*s.distances(PICTURES[:2], PICTURES[2:]), s.diversity(PICTURES)])
    assert there == pytest.approx(here, rel=1e-4)


def test_inception() -> None:
    torch.manual_seed(0)
    here, there = on_both(InceptionDistance(Inception()), lambda scorer: scorer.features(PICTURES[:2]))
    torch.testing.assert_close(there, here, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("made", [SentenceEncoder, ClsCosine, BertScore])
def test_text_similarity(made: Any, tmp_path: Path) -> None:
    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *sorted({word for text in SAID + MEANT for word in text.split()}),
    ]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    BertModel(BertConfig(vocab_size=len(words), initializer_range=0.5, **sizes)).save_pretrained(tmp_path)
    BertTokenizerFast(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    network, tokenizer = load_bert(str(tmp_path))
    assert next(network.parameters()).is_cuda, "a public network runs on the GPU unasked"
    here, there = on_both(made(network, tokenizer, "tiny"), lambda scorer: scorer.scores(SAID, MEANT))
    assert there == pytest.approx(here, rel=1e-4, abs=1e-5)
