"""Compare the memory formulas with published measurements: mean and worst error by use, precision and source.

`python benchmarks/footprint.py [memory.csv]`
"""

from __future__ import annotations

import csv
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean

from index.catalogue import Catalogue
from index.footprint import Footprint, Method, TuningPlan, serving, tuning_by
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


@dataclass(frozen=True, slots=True)
class Bench:
    """How a source ran its measurements, where the rows do not say it."""

    name: str
    tuning: TuningPlan = field(default_factory=TuningPlan)
    context_tokens: int = 256


BENCHES = {
    "qwen.readthedocs.io": Bench("Qwen3 docs"),
    "QwenLM/Qwen": Bench("Qwen1 README", TuningPlan(rank=64)),
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
        "quantized KV cache or 32-bit or fp4": "kv-int8" in row["precision"]
        or row["precision"] in {"fp32", "fp4", "fp4-dq"},
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def estimate(row: Row, model: ModelFact, bench: Bench) -> Footprint | None:
    """The formulas' answer to the question that the row measured."""
    tokens = int(row["context_or_seq_tokens"] or bench.context_tokens)
    batch = int(row["batch"] or 1)
    if row["mode"] == "serve":
        precision = (
            "int8" if (bench.name, row["precision"]) == ("litgpt", "int8") else FORMAT_OF[row["precision"]]
        )
        return serving(model, quantization=precision, context_tokens=tokens, batch=batch)
    plan = replace(
        bench.tuning,
        method=METHOD_OF[row["mode"]],
        seq_tokens=tokens,
        batch=batch,
        rank=int(row["lora_rank"] or bench.tuning.rank),
    )
    return tuning_by(model, plan)


def compare(rows: list[Row], catalogue: Catalogue, skipped: Counter[str]) -> Iterator[Comparison]:
    """Estimate every row that tests the formulas; count the others by reason."""
    for row in rows:
        reason = why_skipped(row)
        bench = next((bench for mark, bench in BENCHES.items() if mark in row["source_url"]), None)
        if reason is not None or bench is None:
            skipped[reason or "source without a stated set-up"] += 1
            continue
        footprint = estimate(row, catalogue.models[row["model_id"]], bench)
        if footprint is None:
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
            estimated_gib=footprint.total_gib,
        )


def report(comparisons: list[Comparison]) -> None:
    """Print one line a group, then one a use."""
    groups: dict[tuple[str, str, str], list[Comparison]] = defaultdict(list)
    for item in comparisons:
        use, bench, precision = item.group
        for key in (item.group, (use, bench, "all"), (use, "all", precision), (use, "all", "all")):
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
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT
    with path.open(encoding="utf-8", newline="") as lines:
        rows: list[Row] = list(csv.DictReader(lines))
    skipped: Counter[str] = Counter()
    report(list(compare(rows, Catalogue.load(), skipped)))
    for reason, count in skipped.most_common():
        print(f"left out {count}: {reason}")


if __name__ == "__main__":
    main()
