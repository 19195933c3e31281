"""Compare the memory formulas with published measurements: mean and worst error by use, precision and source.

`python benchmarks/footprint.py [--rows] [memory.csv]`; with `--rows` every row as a Markdown table.
"""

from __future__ import annotations

import csv
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Literal

from index.catalogue import Catalogue
from index.footprint import RESERVED_GIB, Method, TuningPlan, serving, tuning_by
from index.records import ModelFact

DEFAULT = Path("../shared/data/catalogue/memory.csv")

FORMAT_OF = {
    "bf16": "bf16",
    "fp8": "fp8",
    "int8": "gptq-int8",
    "int4": "gptq-int4",
    "gptq-int8": "gptq-int8",
    "gptq-int4": "gptq-int4",
    "awq-int4": "awq-int4",
    "nf4": "nf4-plain",
    "nf4-dq": "nf4",
}
"""The tables' precision -> our format. Qwen1's int8 and int4 are GPTQ; litgpt's int8 is bitsandbytes."""

METHOD_OF: Mapping[str, Method] = {"lora": "lora", "qlora": "qlora", "full": "full"}

Row = Mapping[str, str]
_KV_8_BIT = "+kv-int8"


@dataclass(frozen=True, slots=True)
class Bench:
    """How a source ran its measurements, where the rows do not say it."""

    name: str
    tuning: TuningPlan = field(default_factory=TuningPlan)
    by_method: Mapping[str, TuningPlan] = field(default_factory=dict)
    """Where it ran each method under another framework."""
    context_tokens: int = 256
    cache_copies: int = 1
    """2 where the cache was lengthened by copying it at each token, so that old and new are held."""
    process_gib: float = 0.0
    """What the measurement counts beside the allocator: the CUDA context."""
    fitted: tuple[str, ...] = ("",)
    """Parts of the ids of the models whose tuning rows the constants were fitted on; "" is all of them.
    Those of serving were chosen with every row in view."""


BENCHES = {
    "qwen.readthedocs.io": Bench("Qwen3 docs"),
    "QwenLM/Qwen": Bench(
        "Qwen1 README",
        by_method={
            "lora": TuningPlan(rank=64, state_bytes=20, engine_gib=1.5),
            "qlora": TuningPlan(
                rank=64, weight_format="gptq-int4", logit_bytes=7, state_bytes=24, engine_gib=2.5
            ),
            "full": TuningPlan(logit_bytes=6, engine_gib=12),
        },
        cache_copies=2,
        process_gib=RESERVED_GIB,
        fitted=("1_8B", "14B"),
    ),
    "litgpt": Bench("litgpt", TuningPlan(rank=8, checkpointing=False, adapted="attention")),
    "method_comparison": Bench("peft MetaMathQA", TuningPlan(checkpointing=False, adapted="attention")),
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """One measured row beside its estimate."""

    group: tuple[str, str, str]
    model: str
    measured_gib: float
    estimated_gib: float
    what: str
    """Length, batch and rank, where the row states them."""
    is_fitted: bool
    """Whether constants were fitted with this row in view; the others are held out."""

    @property
    def error_frac(self) -> float:
        """Above zero when the estimate is too high."""
        return self.estimated_gib / self.measured_gib - 1


def why_skipped(row: Row) -> str | None:
    """Say why a row is no test of the formulas, or None when it is one."""
    hardware = row["hardware"]
    reasons = {
        "no figure (out of memory)": not row["measured_gib"],
        "another tuning method": row["mode"] == "adapter" or "dora" in hardware or "mica" in hardware,
        "adapters on other layers, or embeddings trained too": "(emb)" in hardware
        or "target-mlp" in hardware,
        "several GPUs or offloading": "node(s) x 2" in hardware
        or "node(s) x 4" in hardware
        or "Multiple GPUs" in hardware
        or "offload" in hardware,
        "pure 16-bit training": "full-finetuning" in hardware,
        "sequence length not stated": row["mode"] != "serve" and not row["context_or_seq_tokens"],
        "32-bit or fp4": row["precision"] in {"fp32", "fp4", "fp4-dq"},
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def estimate(row: Row, model: ModelFact, bench: Bench) -> float | None:
    """The formulas' answer to the question that the row measured, in GiB."""
    tokens = int(row["context_or_seq_tokens"] or bench.context_tokens)
    batch = int(row["batch"] or 1)
    if row["mode"] == "serve":
        name = row["precision"].removesuffix(_KV_8_BIT)
        precision = "int8" if (bench.name, name) == ("litgpt", "int8") else FORMAT_OF[name]
        kv_bits: Literal[16, 8] = 8 if row["precision"].endswith(_KV_8_BIT) else 16
        need = serving(model, quantization=precision, context_tokens=tokens, batch=batch, kv_bits=kv_bits)
        if need is None:
            return None
        return need.total_gib + (bench.cache_copies - 1) * need.kv_cache_gib + bench.process_gib
    stated = bench.by_method.get(row["mode"], bench.tuning)
    plan = replace(
        stated,
        method=METHOD_OF[row["mode"]],
        seq_tokens=tokens,
        batch=batch,
        rank=int(row["lora_rank"] or stated.rank),
    )
    footprint = tuning_by(model, plan)
    return None if footprint is None else footprint.total_gib


def compare(rows: list[Row], catalogue: Catalogue, skipped: Counter[str]) -> Iterator[Comparison]:
    """Estimate every row that tests the formulas; count the others by reason."""
    for row in rows:
        reason = why_skipped(row)
        bench = next((bench for mark, bench in BENCHES.items() if mark in row["source_url"]), None)
        if reason is not None or bench is None:
            skipped[reason or "source without a stated set-up"] += 1
            continue
        estimated_gib = estimate(row, catalogue.models[row["model_id"]], bench)
        if estimated_gib is None:
            skipped["model size unknown"] += 1
            continue
        yield Comparison(
            group=(
                "serve" if row["mode"] == "serve" else "tune",
                bench.name,
                f"{row['mode']} {row['precision']}",
            ),
            model=row["model_id"],
            measured_gib=float(row["measured_gib"]),
            estimated_gib=estimated_gib,
            what=_setting(row),
            is_fitted=row["mode"] == "serve" or any(part in row["model_id"] for part in bench.fitted),
        )


def _setting(row: Row) -> str:
    parts = ((row["context_or_seq_tokens"], "tokens"), (row["batch"], "at once"), (row["lora_rank"], "rank"))
    return ", ".join(f"{value} {unit}" for value, unit in parts if value)


def print_rows(comparisons: list[Comparison]) -> None:
    """Print every row as a line of a Markdown table."""
    print("| use | source | model | setting | measured GiB | computed GiB | error | rows |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for item in comparisons:
        _use, bench, precision = item.group
        figures = f"{item.measured_gib:.2f} | {item.estimated_gib:.2f} | {item.error_frac:+.1%}"
        kept = "fitted" if item.is_fitted else "held out"
        print(f"| {precision} | {bench} | {item.model} | {item.what} | {figures} | {kept} |")


def report(comparisons: list[Comparison]) -> None:
    """Print one line a group, then one a use."""
    groups: dict[tuple[str, str, str], list[Comparison]] = defaultdict(list)
    for item in comparisons:
        use, bench, _precision = item.group
        kept = "fitted on" if item.is_fitted else "held out"
        for key in (
            item.group,
            (use, bench, "all"),
            (use, bench, kept),
            (use, "all", kept),
            (use, "all", "all"),
        ):
            groups[key].append(item)
    print(f"{'use':6} {'source':16} {'precision':16} rows    mean    bias   worst  worst row")
    for key in sorted(groups):
        items = groups[key]
        worst = max(items, key=lambda item: abs(item.error_frac))
        mean = fmean(abs(item.error_frac) for item in items)
        bias = fmean(item.error_frac for item in items)
        errors = f"{mean:7.1%} {bias:+7.1%} {worst.error_frac:+7.1%}"
        row = f"{worst.model}: {worst.estimated_gib:.2f} for {worst.measured_gib:.2f} GiB"
        print(f"{key[0]:6} {key[1]:16} {key[2]:16} {len(items):4d} {errors}  {row}")


def main() -> None:
    """Compare with the table given as argument."""
    named = [argument for argument in sys.argv[1:] if argument != "--rows"]
    path = Path(named[0]) if named else DEFAULT
    with path.open(encoding="utf-8", newline="") as lines:
        rows: list[Row] = list(csv.DictReader(lines))
    skipped: Counter[str] = Counter()
    comparisons = list(compare(rows, Catalogue.load(), skipped))
    if "--rows" in sys.argv:
        print_rows(comparisons)
        return
    report(comparisons)
    for reason, count in skipped.most_common():
        print(f"left out {count}: {reason}")


if __name__ == "__main__":
    main()
