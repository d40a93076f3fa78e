"""All the way on real photographs: a checkpoint in the published layout, pairs by its own answers and drawings,
training, export, and the exported checkpoint answering on its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from published_layout import write_checkpoint

import bifrons
from bifrons.export import export_adapter
from bifrons.pairs import real_against_generated, understanding_pairs
from bifrons.protocol import AdapterSettings, Sampling
from bifrons.records import read_json, read_pairs, write_pairs
from bifrons.scorers.clip import load_clip
from bifrons.sources import coco_examples


@pytest.mark.slow
def test_from_a_folder_and_photographs_to_an_exported_model(real_data: Path, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "janus-pro-tiny", talkative=True)
    model: Any = bifrons.load(str(folder))
    coco = real_data / "coco"
    examples = coco_examples(coco / "captions_subset.json", coco / "images", side="pairs", count=6, seed=0)
    answered = understanding_pairs(model, examples, temperatures=(1.0, 1.0), min_margin=0, max_new_tokens=24, seed=0)
    drawn = real_against_generated(model, examples, load_clip("scenes-curation"), seed=0)
    assert len(answered.pairs) >= 2, answered.dropped
    assert len(drawn.pairs) >= 1, drawn.dropped
    for pairs, file in ((answered.pairs, "understanding.parquet"), (drawn.pairs, "generation.parquet")):
        assert {pair.provenance.revision for pair in pairs} == {model.identity.fingerprint}
        write_pairs(tmp_path / file, pairs)
    understanding: Any = read_pairs(tmp_path / "understanding.parquet")
    generation: Any = read_pairs(tmp_path / "generation.parquet")
    run = bifrons.align(
        model,
        understanding=understanding,
        generation=generation,
        strategy="gradient_weighted",
        steps=3,
        learning_rate=1e-2,
        adapter=AdapterSettings(rank=2, alpha=4.0),
        out=tmp_path / "run",
        progress=False,
    )
    assert run.steps[-1].gramian is not None and run.steps[-1].gramian.gg > 0
    exported = export_adapter(tmp_path / "run" / "adapter", tmp_path / "exported")
    again: Any = bifrons.load(str(exported.folder))
    with torch.no_grad():
        for pairs in (understanding[:2], generation[:1]):
            before, after = (each.log_probs(each.pack(pairs)).sums for each in (model, again))
            torch.testing.assert_close(after, before, rtol=1e-5, atol=1e-3)
    sampling = Sampling(temperature=0.0, max_new_tokens=4)
    images, questions = [examples[0].image], [examples[0].questions[0].text]
    assert again.answer(images, questions, sampling)[0].tokens == model.answer(images, questions, sampling)[0].tokens
    assert again.identity.fingerprint != model.identity.fingerprint
    assert read_json(exported.folder / "processor_config.json")["use_default_system_prompt"] is True
    card = (exported.folder / "README.md").read_text(encoding="utf-8")
    assert "Method: `gradient_weighted`, seed 0." in card and str(tmp_path) not in card
