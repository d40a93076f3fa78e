"""The model card of the embedded models: every figure beside its bar and the command that measures it."""

from __future__ import annotations

from math import inf, isinf

from bifrons.organism.quality import Figure
from bifrons.organism.recipe import ShowoRecipe
from bifrons.protocol import Identity

CARD = """\
# {title}

A unified multimodal model for the laptop: {classes} with a tiny
configuration ({millions:.2f} M parameters, {layers} layers of width {width}), trained from scratch by Bifrons on its
procedural scenes.{beside}

* Weights fingerprint `{fingerprint}`; safetensors in {stored}, run in fp32.
* `{folder}/recipe.json` is the recipe that made it, `{folder}/training_log.jsonl` its log.
  `bifrons organism train --name {name}` makes it again{start}: the same recipe and seed, not the same bits on another
  machine.{history}
* Licence Apache-2.0, as the library. No data but the library's own scenes went into it.

## Measured

By `bifrons organism measure --name {name} --scenes {num_scenes}` on held-out scenes (2,000 for the reader, 512 for
retrieval); answers at temperature 0.1, drawings at temperature 1 and {drawing}. The bar of a
question kind is the share that always giving the commonest answer gets, plus 0.15.

| figure | measured | bar | holds |
|---|---:|---|---|
{rows}

## What it can and cannot tell

It answers, draws, and takes preference training as the large models do, in the same code, and its drawings can be
read back exactly. It knows {words} tokens and one world without photographs: what holds on it is a hypothesis for a
model of billions of parameters, never a finding about one.
"""

SHOWO = ShowoRecipe()
JANUS = {
    "classes": "transformers' own `JanusForConditionalGeneration`",
    "stored": "bfloat16",
    "drawing": "the model's own guidance (1.25)",
}
TEXTS: dict[str, dict[str, str]] = {
    "organism": {
        **JANUS,
        "title": "The organism",
        "beside": " Beside it lie two small CLIPs of different shape and seed: one to build preference\ndata, one to"
        " evaluate.",
        "start": " from nothing",
        "history": " The last stage of the body, half of whose questions ask for presence, was added later and\n"
        "  started from the weights as they were shipped before it, in 16 bit (`--only last`).",
    },
    "organism-small": {
        **JANUS,
        "title": "The small organism",
        "beside": " It is the smaller sibling of the organism, for claims about scale: its VQ model\nis the"
        " organism's, its body is its own.",
        "start": " from the organism's VQ model",
        "history": "",
    },
    "showo-organism": {
        "title": "The Show-o organism",
        "classes": "Show-o's Phi and MAGVIT-v2, in its published layout,",
        "stored": "bfloat16, the image tokenizer in fp32",
        "drawing": f"the model's own {SHOWO.steps} steps and guidance ({SHOWO.guidance:g})",
        "beside": " It is the organism's sibling of another family: both faces see a picture as the\nsame"
        " lookup-free codes, and it draws by unmasking.",
        "start": " from nothing",
        "history": " The decoder's stage was made longer after the body's had run, whose log therefore shows\n"
        "  drawings of the shorter one; codes, and so the body, do not depend on it.",
    },
}


def bar_text(low: float, high: float) -> str:
    if isinf(low):
        return "none"
    return f"at least {low:.3f}" if high == inf else f"{low:g} to {high:g}"


def card_text(identity: Identity, figures: dict[str, Figure], num_scenes: int, num_words: int) -> str:
    """The card as Markdown. A figure that misses its bar is marked as such."""
    rows: list[str] = []
    for name, (value, low, high) in figures.items():
        holds = "" if isinf(low) else "yes" if low <= value <= high else "**no**"
        rows.append(f"| {name} | {value:.3f} | {bar_text(low, high)} | {holds} |")
    return CARD.format(
        **TEXTS[identity.name],
        name=identity.name,
        folder=identity.name.replace("-", "_"),
        millions=int(identity.facts["parameters"]) / 1e6,
        layers=identity.facts["layers"],
        width=identity.facts["hidden_size"],
        fingerprint=identity.fingerprint,
        num_scenes=num_scenes,
        rows="\n".join(rows),
        words=num_words,
    )
