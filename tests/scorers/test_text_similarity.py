"""The embedded caption scorer by its definition, and the networks against slow implementations, on random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import BertConfig, BertModel, BertTokenizerFast

from bifrons.scorers.bert import BertScore, ClsCosine, SentenceEncoder, load_bert
from bifrons.scorers.text_similarity import ContentF1, load_text_scorer

VOCABULARY = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "a",
    "red",
    "blue",
    "circle",
    "square",
    "big",
    "dog",
    "cat",
    ".",
]
SAID = ["a red circle .", "a big blue square .", "dog", "cat dog red ."]
WANTED = ["a red square .", "a big blue square .", "a cat", "red dog ."]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of 2 layers with random weights, as safetensors."""
    path = tmp_path_factory.mktemp("bert")
    (path / "vocab.txt").write_text("\n".join(VOCABULARY))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = BertConfig(
            vocab_size=len(VOCABULARY),
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=16,
            initializer_range=0.5,
        )
        BertModel(config).save_pretrained(path)
    BertTokenizerFast(str(path / "vocab.txt")).save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def bert(folder: Path) -> tuple[Any, Any]:
    network, tokenizer = load_bert(str(folder))
    return network.cpu(), tokenizer


def hidden_of(bert: tuple[Any, Any], text: str) -> Tensor:
    """Vectors [tokens, width] of one text alone, without padding."""
    network, tokenizer = bert
    with torch.inference_mode():
        return network(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]


def cosine(one: Tensor, two: Tensor) -> float:
    return float(one @ two / (one.norm() * two.norm()))


def slow_bertscore(bert: tuple[Any, Any], said: str, wanted: str) -> float:
    """Zhang et al. 2020 with loops: words only, greedy matching from both sides."""
    one, two = hidden_of(bert, said)[1:-1], hidden_of(bert, wanted)[1:-1]
    precision = sum(max(cosine(x, y) for y in two) for x in one) / len(one)
    recall = sum(max(cosine(x, y) for x in one) for y in two) / len(two)
    return 2 * precision * recall / (precision + recall)


def test_bertscore_is_its_formula(bert: tuple[Any, Any]) -> None:
    """In a batch with padding as with loops over one text at a time."""
    found = BertScore(*bert, "x").scores(SAID, WANTED)
    assert found == pytest.approx([slow_bertscore(bert, s, w) for s, w in zip(SAID, WANTED, strict=True)], abs=1e-5)
    assert found[1] == pytest.approx(1.0, abs=1e-5)


def test_cls_and_sentence_cosines(bert: tuple[Any, Any]) -> None:
    """[CLS] is the first token's vector; a sentence is the mean of all tokens'; padding takes part in neither."""
    cls, sentence = ClsCosine(*bert, "x").scores(SAID, WANTED), SentenceEncoder(*bert, "x").scores(SAID, WANTED)
    for said, wanted, first, second in zip(SAID, WANTED, cls, sentence, strict=True):
        one, two = hidden_of(bert, said), hidden_of(bert, wanted)
        assert first == pytest.approx(cosine(one[0], two[0]), abs=1e-5)
        assert second == pytest.approx(cosine(one.mean(dim=0), two.mean(dim=0)), abs=1e-5)


def test_an_empty_text_scores_0_in_bertscore(bert: tuple[Any, Any]) -> None:
    assert BertScore(*bert, "x").scores(["", "dog"], ["dog", ""]) == [0.0, 0.0]


@pytest.mark.parametrize("kind", ["sentence", "bertscore", "cls"])
def test_a_network_is_loaded_by_name_and_folder(kind: str, folder: Path) -> None:
    scorer = load_text_scorer(f"{kind}:{folder}")
    assert scorer.name == f"{kind} {folder}" and len(scorer.scores(SAID, WANTED)) == 4
    with pytest.raises(ValueError, match=f"text scorer {kind} needs a BERT checkpoint"):
        load_text_scorer(kind)


def test_unknown_scorers_are_named() -> None:
    with pytest.raises(ValueError, match="there is no text scorer 'rouge'"):
        load_text_scorer("rouge")
    with pytest.raises(ValueError, match="no BERT 'nowhere'"):
        load_bert("nowhere")


def test_content_f1_counts_words_that_carry_content() -> None:
    scorer = ContentF1()
    assert scorer.scores(["a red circle."], ["the red circle"]) == [1.0]
    assert scorer.scores(["red circle red"], ["red circle"]) == [pytest.approx(2 * 2 / 5)]  # each word once a time said
    assert scorer.scores(["", "the of"], ["a dog", "a dog"]) == [0.0, 0.0]
    assert scorer.scores(["blue square"], ["red circle"]) == [0.0]
    with pytest.raises(ValueError, match="1 candidates for 2 references"):
        scorer.scores(["a"], ["a", "b"])


def test_neighbouring_words_tell_which_colour_is_whose() -> None:
    """Words alone cannot tell the two apart; runs of two can."""
    wanted, swapped = "a red circle and a blue square", "a blue circle and a red square"
    assert ContentF1().scores([swapped], [wanted]) == [1.0]
    assert ContentF1(longest=2).scores([swapped, wanted], [wanted] * 2) == [0.5, 1.0]
