"""Turn a benchmark's name, as a model card or an evaluation tool writes it, into one of the catalogue's."""

from __future__ import annotations

import re
from collections.abc import Mapping

from rapidfuzz import fuzz, process

from index.records import Benchmark

_ALIASES = {
    "ai2 reasoning challenge": "ARC-C",
    "arc challenge": "ARC-C",
    "arc easy": "ARC-E",
    "idavidrein/gpqa": "GPQA",
    "tiger-lab/mmlu-pro": "MMLU-Pro",
    "cais/mmlu": "MMLU",
    "openai/gsm8k": "GSM8K",
    "cais/hle": "Humanity's Last Exam",
    "openai_humaneval": "HumanEval",
    "allenai/ai2_arc": "ARC-C",
    "truthfulqa_mc2": "TruthfulQA",
    "banking77": "Banking77 (MTEB)",
    "banking77classification": "Banking77 (MTEB)",
    "toxicconversationsclassification": "Toxic conversations (MTEB)",
    "tweetsentimentextractionclassification": "Tweet sentiment (MTEB)",
    "tnews": "TNews (C-MTEB)",
    "iflytek": "IFlyTek (C-MTEB)",
    "waimai": "Waimai (C-MTEB)",
    "onlineshopping": "OnlineShopping (C-MTEB)",
}
_SHOTS = re.compile(r"\((\d+)-shot\)", re.IGNORECASE)
_ALIKE = 70.0


def find_benchmark(name: str, benchmarks: Mapping[str, Benchmark]) -> Benchmark | None:
    """The benchmark that `name` stands for, or None; case, spaces and a number of shots do not matter."""
    bare = _SHOTS.sub("", name).strip()
    meant = _ALIASES.get(bare.casefold(), bare)
    if meant in benchmarks:
        return benchmarks[meant]
    return {_letters(known): benchmark for known, benchmark in benchmarks.items()}.get(_letters(meant))


def shots(name: str) -> str | None:
    """The number of shots that a name states: "BBH (3-Shot)" is 3-shot."""
    stated = _SHOTS.search(name)
    return f"{stated[1]}-shot" if stated else None


def nearest_benchmarks(name: str, benchmarks: Mapping[str, Benchmark]) -> list[str]:
    """Up to three names that were perhaps meant."""
    hits = process.extract(name, list(benchmarks), scorer=fuzz.WRatio, limit=3, score_cutoff=_ALIKE)
    return [hit[0] for hit in hits]


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.casefold())
