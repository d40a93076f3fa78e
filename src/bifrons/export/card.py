"""The model card: a pure function of the adapter's files and its run's records."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

from bifrons.export.history import History

LICENCE = (
    "These weights derive from the base, whose licence governs them: the DeepSeek Model License for Janus-Pro's "
    "weights, Apache-2.0 for the organism, what its own page says for any other. The pairs' "
    "images and texts keep theirs."
)
HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")


def card_text(
    base: str,
    revision: str,
    known: dict[str, Any],
    config: dict[str, Any],
    history: History,
    rounding: float | None,
    *,
    merged: bool,
) -> str:
    """Markdown with the hub's front matter; what no record says is said to be unknown."""
    shown = base if is_hub_name(base) else Path(base).name
    pinned = f" at revision `{safe(revision)}`" if revision else ""
    title = "A checkpoint aligned by preferences" if merged else "An adapter aligned by preferences"
    lines = [*front_matter(base, library(known, merged)), f"# {title}", ""]
    lines += [f"* Base: `{safe(shown)}`{pinned}, weights fingerprint `{safe(known.get('fingerprint', 'unknown'))}`."]
    lines += [f"* {described(config)}"]
    if rounding is not None:
        lines += [f"* Merged into the weights; storing them lost {rounding:.2g} of the update's norm to rounding."]
    lines += [f"* {line}" for line in (*method_lines(history), *data_lines(history))]
    lines += ["", "## Results", "", *result_lines(history)]
    versions = ", ".join(f"{safe(k)} {safe(v)}" for k, v in history.versions.items())
    lines += ["", "## Versions", "", versions or "Not recorded.", "", "## Licence", "", LICENCE, ""]
    return "\n".join([*lines, "Made with Bifrons. How to load:", "", *usage(shown, merged), ""])


def library(known: dict[str, Any], merged: bool) -> str:
    """What loads these files: merged Janus weights are transformers' own, those of other families are not."""
    if not merged:
        return "peft"
    return "transformers" if known.get("family", "janus") == "janus" else "bifrons"


def front_matter(base: str, library_name: str) -> list[str]:
    """YAML, each value as JSON text: whatever a name holds, it stays one value."""
    lines = ["---", "library_name: " + json.dumps(library_name), 'license: "other"']
    if is_hub_name(base):
        lines += [f"base_model: {json.dumps(base)}"]
    return [*lines, 'tags: ["preference-optimization", "any-to-any", "bifrons"]', "---", ""]


def is_hub_name(name: str) -> bool:
    return HUB_NAME.fullmatch(name) is not None and not Path(name).exists()


def described(config: dict[str, Any]) -> str:
    head = "with" if config.get("modules_to_save") else "without"
    rank, alpha = safe(config.get("r", "?")), safe(config.get("lora_alpha", "?"))
    return f"LoRA of rank {rank} and alpha {alpha} on the language model, {head} a trained image head."


def method_lines(history: History) -> list[str]:
    recipe, record, status = history.recipe, history.record, history.status
    method = status.get("method") or record.get("strategy")
    if method is None:
        return ["Method: no record of the run lies beside the adapter."]
    setting = ", ".join(f"{safe(k)} {safe(v)}" for k, v in (status.get("setting") or {}).items())
    seed = safe(record.get("seed", status.get("seed", "?")))
    lines = [f"Method: `{safe(method)}`{f' ({setting})' if setting else ''}, seed {seed}."]
    if recipe:
        keys = ("steps", "pairs_per_step", "learning_rate", "beta_understanding", "beta_generation", "clip")
        lines += ["Settings: " + ", ".join(f"{k} {safe(recipe[k])}" for k in keys if k in recipe) + "."]
    if history.weights is not None:
        u, g = history.weights
        lines += [f"Mean weights of the two task gradients: {u:.3f} understanding, {g:.3f} generation."]
    losses = {task: record.get(f"loss_{task}") for task in ("understanding", "generation")}
    said = [f"{loss:.4f} {task}" for task, loss in losses.items() if loss is not None]
    if said:
        lines += [f"Loss at the end, mean of the last steps: {', '.join(said)} (an untrained DPO has ln 2 = 0.6931)."]
    return lines


def data_lines(history: History) -> list[str]:
    pairs = history.study.get("pairs") or {}
    lines: list[str] = []
    for task in ("understanding", "generation"):
        found = pairs.get(task)
        if isinstance(found, dict) and "kept" in found:
            source = f", from {safe(found['file'])}" if "file" in found else ""
            lines += [f"Data, {task}: {safe(found['kept'])} pairs{source}."]
    return lines or ["Data: no record of the pairs lies beside the adapter."]


def result_lines(history: History) -> list[str]:
    """Every metric with its interval; those of a study are pooled over its seeds."""
    if not history.rows:
        return ["No evaluation lies beside the adapter."]
    metrics = {m.get("name"): m.get("label") for m in history.study.get("metrics", [])}
    lines = [
        "| metric | mean | 95% interval | n | change from the base | 95% interval |",
        "|---|---:|---|---:|---:|---|",
    ]
    for row in history.rows:
        cells = [
            safe(metrics.get(row["metric"]) or row["metric"]),
            number(row["mean"]),
            interval(row.get("ci95")),
            safe(row.get("n", "")),
            number(row.get("delta"), sign=True),
            interval(row.get("delta_ci95")),
        ]
        lines += [f"| {' | '.join(cells)} |"]
    seeds = ", ".join(str(s) for s in history.rows[0].get("seeds", []))
    return [*lines, "", f"Pooled over the seeds {safe(seeds)} of the study, of which this is one."] if seeds else lines


def number(value: float | None, *, sign: bool = False) -> str:
    return "-" if value is None else f"{value:{'+' if sign else ''}.4g}"


def interval(value: list[float] | None) -> str:
    return "-" if value is None else f"{value[0]:.4g} to {value[1]:.4g}"


def usage(shown: str, merged: bool) -> list[str]:
    call = 'bifrons.load("FOLDER")' if merged else f'bifrons.load("{safe(shown)}", adapter="FOLDER")'
    return ["```python", "import bifrons", "", f"model = {call}", "```"]


def safe(value: Any) -> str:
    """One line without anything that Markdown or HTML would act on."""
    text = html.escape(" ".join(str(value).split()), quote=False)
    return re.sub(r"([|`\[\]*\\])", lambda found: f"&#{ord(found[0])};", text)
