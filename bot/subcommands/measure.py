"""`shortlist footprint` and `shortlist compare`: arithmetic on what is known already."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from bot.console import Output, guarded
from index import footprint as memory
from index.bilingual import Bilingual
from index.catalogue import Catalogue
from index.errors import BadInput
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
    json: Json = False,
) -> None:
    """Say how much accelerator memory a model needs."""
    with guarded(Output(json=json)) as output:
        fact = Catalogue.load().require(model)
        found = (
            memory.tuning(fact, method=tune, seq_tokens=seq, batch=batch, rank=rank)
            if tune
            else memory.serving(fact, quantization=quantization, context_tokens=context, batch=batch)
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
        output.emit(value, "\n".join([*lines, "", found.basis]))


def compare(
    results: Annotated[list[str], typer.Argument(help="Numbers of jobs, or folders of evaluations.")],
    json: Json = False,
) -> None:
    """Compare finished results item by item, on the rows that they share."""
    with guarded(Output(json=json)) as output:
        value = compare_results([_folder(result) for result in results])
        output.emit(value, comparison_markdown(value, output.language))


def _folder(result: str) -> Path:
    """The folder of a job by its number, or the path as it is."""
    if not result.isdigit() or Path(result).exists():
        return Path(result)
    from bot.app import open_jobs  # noqa: PLC0415  keeps `--help` quick

    return open_jobs().folder(result)
