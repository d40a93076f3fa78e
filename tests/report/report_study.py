"""A study's folder with every input of a report, made up: ten methods, three seeds, one failed cell."""

from __future__ import annotations

import base64
import json
import math
import random
import struct
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bifrons.records import Gramian, StepRecord, TaskStep, Weights

METHODS = (
    ("base", "Base", "base"),
    ("understanding_only", "Understanding only", "train"),
    ("generation_only", "Generation only", "train"),
    ("naive_joint", "Naive joint", "train"),
    ("pcgrad", "PCGrad", "train"),
    ("gradient_weighted", "Gradient weighted", "train"),
    ("length_normalized", "Length normalized", "train"),
    ("fixed_weight", "Fixed weight", "train"),
    ("rewarded_soup", "Rewarded soup", "post_hoc"),
    ("separate_lora", "Separate adapters", "post_hoc"),
)
METRICS = (
    ("vqa_score", "VQA score", "higher", "understanding", True, 2.49, 1.15),
    ("clip_score_scenes", "CLIPScore (scenes)", "higher", "generation", True, 26.87, 3.6),
    ("pope_accuracy", "POPE accuracy", "higher", "understanding", False, 0.63, 0.48),
    ("fid", "FID", "lower", "generation", False, 157.6, 4.0),
    ("scene_accuracy", "Scenes read back", "higher", "generation", False, 0.55, 0.5),
    ("words", "Words an answer", "higher", "understanding", False, 12.7, 3.1),
)
TRAINED = [name for name, _, kind in METHODS if kind == "train"]
SHIFTS = {
    "understanding_only": (0.26, -0.05),
    "naive_joint": (0.01, 0.06),
    "gradient_weighted": (0.19, -0.3),
    "length_normalized": (0.16, -0.45),
}
SHIFTS |= {
    "generation_only": (0.01, -0.6),
    "separate_lora": (0.26, -0.6),
    "fixed_weight": (0.14, -0.2),
    "rewarded_soup": (0.07, -0.3),
}
HOSTILE = "<script>alert('x')</script> & \"quoted\""
FAILED_REASON = "the loss was not finite at step 12 <b>of 60</b>"
LAMBDAS = (0.25, 0.5, 0.75)


def variants(method: str) -> list[dict[str, Any]]:
    return [{"lambda": value} for value in LAMBDAS] if method == "rewarded_soup" else [{}]


def results(seed: int = 0) -> dict[str, Any]:
    """Rows of every method and metric but FID's for PCGrad, which failed and has no data."""
    source = random.Random(seed)
    rows = []
    for method, _, kind in METHODS:
        for setting in variants(method):
            for place, (metric, *_, primary, centre, spread) in enumerate(METRICS):
                row: dict[str, Any] = {
                    "model": "organism",
                    "method": method,
                    "metric": metric,
                    "setting": setting,
                    "round": None,
                }
                row |= {
                    "seeds": [0] if kind == "base" else [0, 1] if method == "pcgrad" else [0, 1, 2]
                } | dict.fromkeys(("delta", "delta_ci95", "welch_t", "p", "cohens_d"))
                if method == "pcgrad" and metric == "fid":
                    rows.append(
                        row | {"mean": None, "std": None, "n": None, "ci95": None, "reason": "fewer than 50 drawings"}
                    )
                    continue
                n = 200 * len(row["seeds"])
                shift = SHIFTS.get(method, (0.02, -0.1))[place] if primary else 0.05 * spread * source.uniform(-1, 1)
                mean = centre + (0 if kind == "base" else shift)
                half = 1.96 * spread / math.sqrt(n)
                row |= {"mean": mean, "std": spread, "n": n, "ci95": [mean - half, mean + half], "reason": ""}
                if kind != "base":
                    wide = 1.96 * spread * math.sqrt(1 / n + 1 / 200)
                    t = shift / (wide / 1.96)
                    row |= {"delta": shift, "delta_ci95": [shift - wide, shift + wide], "welch_t": t}
                    row |= {"p": math.erfc(abs(t) / math.sqrt(2)), "cohens_d": shift / spread}
                rows.append(row)
    training = [
        {
            "method": method,
            "seed": seed,
            "loss_understanding": None if method == "generation_only" else 0.55 + 0.01 * seed + source.uniform(0, 0.05),
            "loss_generation": None if method == "understanding_only" else 0.6929 + source.uniform(-0.0004, 0.0004),
        }
        for method in TRAINED
        for seed in (0, 1, 2)
        if (method, seed) != ("pcgrad", 2)
    ]
    gradients = {
        "cosine": {"mean": -0.0123, "std": 0.081, "n": 200},
        "generation_over_understanding": {"mean": 12.34, "std": 2.5, "n": 200},
    }
    versions = {"bifrons": "0.1.0", "torch": "2.11.0", "transformers": "5.1.0"}
    return {
        "study": "dpo",
        "versions": versions,
        "rows": rows,
        "gradients": gradients,
        "training": training,
        "extra": {"ignored": 1},
    }


def study() -> dict[str, Any]:
    cells = [
        {"method": method, "seed": seed, "setting": setting, "key": f"{method}-{seed}", "status": "done", "reason": ""}
        for method, _, kind in METHODS
        for setting in variants(method)
        for seed in ([0] if kind == "base" else [0, 1, 2])
    ]
    for cell in cells:
        if (cell["method"], cell["seed"]) == ("pcgrad", 2):
            cell |= {"status": "failed", "reason": FAILED_REASON}
    return {
        "study": "dpo",
        "title": "Do understanding and generation fight on the organism?",
        "description": "Preference alignment of both faces of one small unified model, by seven strategies.",
        "model": "organism",
        "model_label": "The scene organism (4.2 million parameters)",
        "created": "2026-05-04",
        "settings": {
            "steps": 60,
            "beta": 0.1,
            "training.learning_rate": 0.0005,
            "batch_size": 1,
            "lora.rank": 16,
            "warmup": None,
        },
        "metrics": [
            {
                "name": name,
                "label": label,
                "direction": direction,
                "task": task,
                "primary": primary,
                "description": f"What {label} is.",
            }
            for name, label, direction, task, primary, *_ in METRICS
        ],
        "methods": [
            {
                "name": name,
                "label": label,
                "kind": kind,
                "description": f"How {label} works.",
                "deployable": name != "separate_lora",
            }
            for name, label, kind in METHODS
        ],
        "cells": cells,
        "pairs": {
            "understanding": {"kept": 1300, "dropped": {"below the margin": 412, "same answer": 88}},
            "generation": {"kept": 288, "dropped": {"score did not prefer the chosen": 112}},
        },
        "margin_noise": {"understanding": 1.2e-6, "generation": 3.4e-5},
        "notes": ["Two prompts were left out because both sides were the same drawing."],
    }


def step(number: int, method: str, source: random.Random, num_layers: int = 6) -> StepRecord:
    def task(name: str) -> TaskStep | None:
        if method in ("understanding_only", "generation_only") and not method.startswith(name):
            return None
        falls = name == "generation" and method in ("generation_only", "naive_joint")
        drift = number / 60
        loss = (
            0.693
            - (0.15 * min(drift, 1) if name == "understanding" else 0.0004 * drift)
            + source.gauss(0, 0.03 if name == "understanding" else 0.0003)
        )
        return TaskStep(
            loss=loss,
            margin=drift,
            accuracy=1.0,
            chosen_log_ratio=-0.4 * drift if falls else 0.3 * drift,
            rejected_log_ratio=-drift,
            num_tokens=12.0 if name == "understanding" else 144.0,
            records=(f"{name}-{number}",),
        )

    both = method not in ("understanding_only", "generation_only")
    layers = tuple(gramian(source) for _ in range(num_layers)) if both else ()
    weight = {
        "gradient_weighted": 1.85 - 0.2 * math.exp(-number / 15),
        "length_normalized": 1.846,
        "fixed_weight": 1.82,
    }.get(method, 1.0)
    if method == "pcgrad":
        weight = 1.0 + abs(source.gauss(0, 0.2))
    return StepRecord(
        step=number,
        understanding=task("understanding"),
        generation=task("generation"),
        gramian=Gramian(sum(g.uu for g in layers), sum(g.ug for g in layers), sum(g.gg for g in layers))
        if both
        else None,
        layers=layers,
        weights=Weights(weight, 2 - weight if method not in ("pcgrad", "naive_joint") else 1.0),
    )


def gramian(source: random.Random) -> Gramian:
    understanding, generation = source.uniform(0.8, 1.2), source.uniform(10, 15)
    return Gramian(understanding**2, source.gauss(-0.02, 0.08) * understanding * generation, generation**2)


def diagnosis(seed: int = 1) -> dict[str, Any]:
    source = random.Random(seed)
    batches = []
    for _ in range(200):
        layers = [asdict(gramian(source)) for _ in range(6)]
        batches.append({name: sum(layer[name] for layer in layers) for name in ("uu", "ug", "gg")} | {"layers": layers})
    return {
        "inter_task": batches,
        "intra_understanding": [source.gauss(0.18, 0.06) for _ in range(199)],
        "intra_generation": [source.gauss(0.31, 0.05) for _ in range(199)],
        "tests": {
            "inter_against_zero": {"t": -2.1, "p": 0.037},
            "inter_against_understanding": {"t": -31.2, "p": 0.0, "cohens_d": -2.9},
        },
    }


def png(seed: int, size: int = 32) -> str:
    """A picture of one coloured square on a plain ground."""
    source = random.Random(seed)
    ground, shape = [bytes(source.randrange(256) for _ in range(3)) for _ in range(2)]
    left, top, side = source.randrange(4, 14), source.randrange(4, 14), source.randrange(8, 14)
    lines = b"".join(
        b"\0" + b"".join(shape if left <= x < left + side and top <= y < top + side else ground for x in range(size))
        for y in range(size)
    )
    head = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    content = b"\x89PNG\r\n\x1a\n"
    for name, body in parts:
        content += struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    return base64.b64encode(content).decode()


def gallery() -> dict[str, Any]:
    names = [name for name, _, _ in METHODS]
    prompts = ["a red square above a blue circle", "two green triangles", HOSTILE]
    return {
        "drawings": [
            {
                "prompt": prompt,
                "chosen": png(100 + place),
                "rejected": "" if place == 1 else png(200 + place),
                "drawn": {
                    name: png(10 * place + number) for number, name in enumerate(names) if name != "separate_lora"
                },
                "notes": {"base": "exact", "pcgrad": "wrong colour"},
            }
            for place, prompt in enumerate(prompts)
        ],
        "answers": [
            {
                "image": png(300 + place),
                "question": "What is in the picture?",
                "truth": "a red square",
                "answers": {
                    name: HOSTILE if place and number == 2 else "there is a red square on the left"
                    for number, name in enumerate(names)
                },
            }
            for place in range(3)
        ],
    }


def write_study(folder: Path, *, num_steps: int = 60, optional: bool = True) -> Path:
    """Write a study's folder; `optional` adds the diagnosis and the gallery."""
    folder.mkdir(parents=True, exist_ok=True)
    dump(folder / "results.json", results())
    dump(folder / "study.json", study())
    if optional:
        dump(folder / "diagnosis.json", diagnosis())
        dump(folder / "gallery.json", gallery())
    for cell in study()["cells"]:
        if cell["method"] in TRAINED and cell["status"] == "done":
            source = random.Random(f"{cell['key']}")
            records = [step(number, cell["method"], source) for number in range(num_steps)]
            (folder / cell["key"]).mkdir(exist_ok=True)
            (folder / cell["key"] / "steps.jsonl").write_text(
                "".join(json.dumps(asdict(record)) + "\n" for record in records)
            )
    return folder


def dump(file: Path, value: Any) -> None:
    file.write_text(json.dumps(value))
