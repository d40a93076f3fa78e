"""The card says what the records say, says what they do not, and lets nothing through that Markdown would act on."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bifrons.export.card import card_text, safe
from bifrons.export.history import History, history_of
from bifrons.records import RunRecord, StepRecord, Weights, step_to_line, write_json, write_text

ADAPTER = {"r": 8, "lora_alpha": 16, "modules_to_save": ["generation_head"]}
KNOWN = {"base": "owner/model", "fingerprint": "abc", "revision": "0" * 40}


def row(metric: str, **values: Any) -> dict[str, Any]:
    numbers = {"mean": 2.5, "ci95": [2.25, 2.75], "delta": 0.125, "delta_ci95": [-0.1, 0.35], "n": 60}
    made = {"model": "owner/model", "method": "pcgrad", "metric": metric, "setting": {}, "seeds": [0, 1]}
    return made | numbers | values


def study(folder: Path) -> Path:
    """A study's folder with one run in it; the run's adapter folder."""
    run = folder / "key"
    record = RunRecord(
        key="key",
        strategy="pcgrad",
        seed=1,
        steps=2,
        loss_understanding=0.5,
        loss_generation=None,
        margin_noise_understanding=None,
        margin_noise_generation=None,
        seconds=1.0,
        versions={"torch": "2.13", "bifrons": "0.1.0"},
    )
    write_json(run / "record.json", asdict(record))
    write_json(run / "config.json", {"key": "key", "recipe": {"steps": 2, "learning_rate": 3e-4}})
    write_json(run / "status.json", {"status": "done", "method": "pcgrad", "seed": 1, "setting": {}, "key": "key"})
    steps = [
        StepRecord(
            step=i,
            understanding=None,
            generation=None,
            gramian=None,
            layers=(),
            weights=Weights(1.0 + i, 0.5),
            state={},
            norm_before_clip=1.0,
            learning_rate=1e-4,
            seconds=0.1,
        )
        for i in range(2)
    ]
    write_text(run / "steps.jsonl", "".join(step_to_line(step) + "\n" for step in steps))
    rows = [row("vqa_score"), row("clip_score", delta=None, delta_ci95=None), row("other", method="naive_joint")]
    rows += [row("foreign", model="owner/small")]
    write_json(folder / "results.json", {"rows": [*rows, row("empty", mean=None)]})
    pairs = {"understanding": {"kept": 1300, "dropped": {}}, "generation": {"kept": 288, "file": "mine.parquet"}}
    metrics = [{"name": "vqa_score", "label": "VQA score"}]
    write_json(folder / "study.json", {"pairs": pairs, "metrics": metrics})
    return run / "adapter"


def test_the_card_says_what_the_records_say(tmp_path: Path) -> None:
    text = card_text(
        "owner/model", "0" * 40, KNOWN, ADAPTER, history_of(study(tmp_path), "owner/model"), 1.23e-3, merged=True
    )
    for part in (
        'base_model: "owner/model"',
        f"* Base: `owner/model` at revision `{'0' * 40}`, weights fingerprint `abc`.",
        "LoRA of rank 8 and alpha 16 on the language model, with a trained image head.",
        "storing them lost 0.0012 of the update's norm",
        "Method: `pcgrad`, seed 1.",
        "steps 2, learning_rate 0.0003",
        "1.500 understanding, 0.500 generation",
        "0.5000 understanding (an untrained DPO has ln 2",
        "Data, understanding: 1300 pairs.",
        "Data, generation: 288 pairs, from mine.parquet.",
        "| VQA score | 2.5 | 2.25 to 2.75 | 60 | +0.125 | -0.1 to 0.35 |",
        "| clip_score | 2.5 | 2.25 to 2.75 | 60 | - | - |",
        "Pooled over the seeds 0, 1",
        "torch 2.13, bifrons 0.1.0",
        "DeepSeek Model License",
    ):
        assert part in text, part
    assert all(word not in text for word in ("naive_joint", "empty", "foreign"))
    assert text.startswith("---\n") and text.count("\n---\n") == 1


def test_what_is_not_recorded_is_said_to_be_unknown(tmp_path: Path) -> None:
    text = card_text(str(tmp_path), "", {}, {}, history_of(tmp_path / "run" / "adapter"), None, merged=False)
    for part in ("no record of the run", "no record of the pairs", "No evaluation lies beside", "Not recorded."):
        assert part in text
    assert "base_model" not in text and str(tmp_path.parent) not in text, "a folder of this machine is no base's name"


def test_nothing_gets_out_of_its_place() -> None:
    """Names from records are text: no HTML, no link, no table cell, no second line, no YAML key."""
    evil = "x | y\n# title <script>alert(1)</script> [a](http://b) `code` *bold*"
    history = History(
        record={"strategy": evil, "seed": evil, "versions": {}},
        status={"method": evil, "setting": {evil: evil}},
        rows=[row(evil)],
        study={"metrics": [{"name": evil, "label": evil}], "pairs": {"understanding": {"kept": evil, "file": evil}}},
        versions={evil: evil},
    )
    text = card_text(evil, evil, {"fingerprint": evil}, {"r": evil}, history, None, merged=True)
    assert "<script>" not in text and "](http" not in text and "\n# title" not in text
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in table} == {7}
    matter = text.split("---\n")[1].splitlines()
    assert [line.split(":")[0] for line in matter] == ["library_name", "license", "tags"]
    assert all(json.loads(line.split(": ", 1)[1]) for line in matter)


def test_safe_is_one_line() -> None:
    assert safe("a\n b\t<c> & |") == "a b &lt;c&gt; &amp; &#124;"
    assert safe(3e-4) == "0.0003"
