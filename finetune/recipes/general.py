"""Read texts of general knowledge before and after tuning, to show what was forgotten.

The texts are sections of this project's own articles, in English and Chinese: no model was tuned on them here, and they
are about other things than a team's tickets. Less likely afterwards means that something was unlearned.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict
from importlib.resources import files
from typing import Any

from finetune.columns import Row
from finetune.metrics.likelihood import TextLikelihood, bits_per_byte
from finetune.paired import compare_paired
from finetune.recipes.asking import TextAsker
from finetune.recipes.loading import max_tokens

_LONGEST_CHARACTERS = 900
_SHORTEST_CHARACTERS = 200
FORGOT_BITS = 0.02
"""Bits per byte that are too few to matter: about 2% of what a small model needs for such texts."""


def general_rows(n: int, seed: int = 0) -> list[Row]:
    """So many sections, half of them Chinese, always the same for the same seed."""
    chosen = []
    for language in ("en", "zh"):
        found = _sections(language)
        random.Random(f"{seed}/{language}").shuffle(found)
        chosen += [
            Row(id=f"{language}-{i}", text=text, label="") for i, text in enumerate(found[: n - n // 2])
        ]
    return sorted(chosen, key=lambda row: row.id.partition("-")[2])[:n]


def read_general(model: Any, tokenizer: Any, rows: Sequence[Row]) -> dict[str, TextLikelihood]:
    """How likely each text is; texts beyond the context are left out."""
    model.eval()
    asker = TextAsker(model, tokenizer, max_tokens(model))
    replies = asker.ask([row for row in rows if asker.fits(row)])
    return {reply.row.id: reply.likelihood for reply in replies if reply.likelihood is not None}


def compared(
    before: dict[str, TextLikelihood], after: dict[str, TextLikelihood], seed: int
) -> dict[str, Any] | None:
    """Bits per byte before and after, and whether texts have become less likely; None without two texts."""
    ids = sorted(before.keys() & after.keys())
    if len(ids) < 2:
        return None
    bits = [[bits_per_byte([likelihoods[i]]) for i in ids] for likelihoods in (after, before)]
    pair = compare_paired(*bits, seed=seed)
    return {
        "what": "bits per byte of general texts; more means that something was forgotten",
        "texts": len(ids),
        "before": bits_per_byte([before[i] for i in ids]),
        "after": bits_per_byte([after[i] for i in ids]),
        "comparison": {"a": "after", "b": "before", "metric": "bits_per_byte", **asdict(pair)},
        "has_forgotten": pair.ci95[0] > 0 and pair.difference > FORGOT_BITS,
    }


def _sections(language: str) -> list[str]:
    """The paragraphs of the articles that are neither very short nor long."""
    folder = files("index") / "knowledge" / language
    texts = [
        file.read_text("utf-8") for file in sorted(folder.iterdir(), key=str) if file.name.endswith(".md")
    ]
    paragraphs = [part.strip() for text in texts for part in text.split("\n\n")]
    least = _SHORTEST_CHARACTERS // (1 if language == "en" else 3)
    return [p for p in paragraphs if least <= len(p) <= _LONGEST_CHARACTERS and p[0] not in "#-|`<["]
