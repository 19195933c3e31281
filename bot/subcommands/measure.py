"""`shortlist footprint` and `shortlist compare`: arithmetic on what is known already."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from bot.console import Output, guarded
from bot.settings import read_settings
from index import footprint as memory
from index.bilingual import Bilingual
from index.catalogue.home import open_catalogue
from index.errors import BadInput
from index.fitting import cheapest_cards, largest_batch
from index.prices import decode_tokens_per_s
from index.records import ModelFact
from skills.compare import compare_results
from skills.report import comparison_markdown

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def footprint(  # noqa: PLR0913, PLR0917  one parameter per option
    model: str,
    quantization: Annotated[
        str, typer.Option(help="none, int8, nf4, fp8, awq-int4, gptq-int4, gptq-int8.")
    ] = "none",
    context: Annotated[int, typer.Option(help="Tokens of context.", min=1)] = 8192,
    batch: Annotated[int, typer.Option(help="Sequences at once.", min=1)] = 1,
    tune: Annotated[Literal["lora", "qlora", "full"] | None, typer.Option(help="Memory to tune it.")] = None,
    seq: Annotated[int, typer.Option(help="Tokens of a training row.", min=1)] = 1024,
    rank: Annotated[int, typer.Option(help="Rank of the adapter.", min=1)] = 16,
    kv_bits: Annotated[int, typer.Option(help="Bits of the KV cache: 16 or 8.")] = 16,
    memory_gib: Annotated[
        float | None, typer.Option("--memory", help="Say what fits so many GiB.", min=0)
    ] = None,
    json: Json = False,
) -> None:
    """Say how much accelerator memory a model needs."""
    with guarded(Output(json=json)) as output:
        fact = open_catalogue(read_settings().folder).require(model)
        bits = _kv_bits(kv_bits)
        found = (
            memory.tuning(fact, method=tune, seq_tokens=seq, batch=batch, rank=rank)
            if tune
            else memory.serving(
                fact, quantization=quantization, context_tokens=context, batch=batch, kv_bits=bits
            )
        )
        if found is None:
            raise BadInput(
                Bilingual(
                    f"The size of {fact.id} is not known, so its memory cannot be computed.",
                    f"{fact.id} 的参数规模未知，无法计算显存。",
                )
            )
        value = {"model": fact.id, **asdict(found)}
        parts = {name: amount for name, amount in value.items() if isinstance(amount, float) and amount}
        lines = [f"**{fact.id}**: {found.total_gib:.2f} GiB"]
        lines += [f"- {name.removesuffix('_gib')}: {amount:.2f} GiB" for name, amount in parts.items()]
        value["fits"] = None if tune else _fits(fact, found, quantization, memory_gib, context)
        output.emit(value, "\n".join([*lines, *_fit_lines(value["fits"]), "", found.basis]))


def _kv_bits(bits: int) -> Literal[16, 8]:
    if bits == 16:
        return 16
    if bits == 8:
        return 8
    raise BadInput(
        Bilingual(
            f"A KV cache of {bits} bits is unknown: use 16 or 8.",
            f"不支持 {bits} 位的 KV 缓存：请用 16 或 8。",
        )
    )


def _fits(
    fact: ModelFact, need: memory.Footprint, quantization: str, memory_gib: float | None, context: int
) -> dict[str, Any]:
    """The cheapest cards, and what so much memory has room for."""
    cards = cheapest_cards(need)
    pace = decode_tokens_per_s(fact, quantization, cards.gpu) if cards else None
    found: dict[str, Any] = {
        "cheapest": f"{cards.count} x {cards.gpu.name}" if cards else None,
        "usd_per_hour": cards.usd_per_hour if cards else None,
        "tokens_per_s": None if pace is None else round(pace, 1),
    }
    if memory_gib is None:
        return found
    room = memory.largest_context(fact, quantization, memory_gib)
    batch = largest_batch(fact, quantization, memory_gib, context_tokens=context)
    return {**found, "largest_context_tokens": room, "largest_batch": batch}


def _fit_lines(fits: dict[str, Any] | None) -> list[str]:
    """What `_fits` found, a line each."""
    if fits is None:
        return []
    lines = []
    if fits["cheapest"]:
        pace = (
            "" if fits["tokens_per_s"] is None else f", one stream about {fits['tokens_per_s']:.0f} tokens/s"
        )
        lines.append(
            f"- cheapest: {fits['cheapest']} at ${fits['usd_per_hour']:.2f}/h (assumed{pace}, an estimate)"
        )
    if "largest_context_tokens" in fits:
        room, batch = fits["largest_context_tokens"], fits["largest_batch"]
        lines.append(f"- room for one request of {room:,} tokens" if room else "- it does not fit")
        lines.append(
            f"- {batch} requests at once at this context" if batch else "- no request fits at this context"
        )
    return lines


def compare(
    results: Annotated[
        list[str],
        typer.Argument(
            help="Numbers of jobs, folders of evaluations, samples_*.jsonl of lm-evaluation-harness."
        ),
    ],
    metric: Annotated[str | None, typer.Option(help="Which score of a harness log.")] = None,
    json: Json = False,
) -> None:
    """Compare finished results item by item, on the rows that they share."""
    with guarded(Output(json=json)) as output:
        value = compare_results([_folder(result) for result in results], metric=metric)
        output.emit(value, comparison_markdown(value, output.language))


def _folder(result: str) -> Path:
    """The folder of a job by its number, or the path as it is."""
    if not result.isdigit() or Path(result).exists():
        return Path(result)
    from bot.terminal import open_jobs  # noqa: PLC0415  keeps `--help` quick

    return open_jobs().folder(result)
