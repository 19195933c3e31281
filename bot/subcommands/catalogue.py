"""`shortlist catalogue`: the models that are known, each fact with its source, and how to know more."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.app import configure_logging
from bot.console import Output, guarded
from bot.settings import read_settings
from finetune.errors import NothingLeaves
from index.bilingual import Bilingual, Language
from index.catalogue import Catalogue
from index.catalogue.home import open_catalogue
from index.catalogue.tuned import TunedModel, adapter_of
from index.errors import Unavailable
from index.prices import TokenPrice, gpus, hosted_price
from index.records import Evidence, ModelFact

if TYPE_CHECKING:
    from index.catalogue.refresh import Change, Failure, Report

_SHOWN = 20
"""Lines of one kind that are shown to a person; JSON holds all."""

app = typer.Typer(help="The models that are known.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.command("list")
def list_models(
    contains: Annotated[str, typer.Option(help="Only models whose id contains this.")] = "",
    json: Json = False,
) -> None:
    """List models, and say how old the data is."""
    with guarded(Output(json=json)) as output:
        catalogue = _catalogue()
        own = [model.fact(catalogue.models.get(model.based_on)) for model in catalogue.tuned]
        every = [*own, *catalogue.models.values()]
        models = [m for m in every if contains.casefold() in m.id.casefold()]
        rows = [f"{m.id}\t{_size(m)}\t{m.licence or '?'}\t{m.release_date or '?'}" for m in models]
        age_days = catalogue.age_days(datetime.now(UTC).date())
        output.note(_age(catalogue, age_days))
        value = {
            "updated": catalogue.updated,
            "age_days": age_days,
            "refreshed": catalogue.refreshed,
            "version": catalogue.version,
            "models": [_as_json(model) for model in models],
            "gpus": [
                {"name": gpu.name, "memory_gib": gpu.memory_gib, "usd_per_hour": gpu.usd_per_hour}
                for gpu in gpus()
            ],
        }
        output.emit(value, "\n".join(rows))


@app.command()
def show(model: str, json: Json = False) -> None:
    """Show one model: its facts, its price, its published figures and their sources."""
    with guarded(Output(json=json)) as output:
        catalogue = _catalogue()
        fact = catalogue.require(model)
        tuned = catalogue.find_tuned(model)
        price = hosted_price(fact.id)
        evidence = [_figure(item) for item in catalogue.evidence_of(fact.id)]
        facts = {key: value for key, value in _as_json(fact).items() if key not in {"id", "sources"}}
        lines = [f"**{fact.id}**", *(f"- {key}: {value}" for key, value in facts.items())]
        if tuned is not None:
            lines += _tuned_lines(tuned, catalogue, output.language)
        lines += [f"- price: {_price_line(price)}"] if price else []
        lines += [
            f"- {e['benchmark']}: {e['score']} ({e['kind']}, {e['date']}) {e['source']}" for e in evidence
        ]
        value = {**_as_json(fact), "price": asdict(price) if price else None, "evidence": evidence}
        if tuned is not None:
            value |= {"tuned": {**tuned.model_dump(mode="json"), "adapter": str(_adapter(tuned, catalogue))}}
        output.emit(value, "\n".join(lines))


@app.command()
def refresh(
    models: Annotated[list[str] | None, typer.Argument(help="Only these, by Hugging Face id.")] = None,
    limit: Annotated[int, typer.Option(help="How many models to ask about.", min=0, max=1000)] = 100,
    prices_url: Annotated[
        str | None, typer.Option(help="Where the price list is, when not at genai-prices.")
    ] = None,
    json: Json = False,
) -> None:
    """Ask the model hub and the price list what is new; what was known stays if they do not answer."""
    from index.catalogue.hub import Hub  # noqa: PLC0415 - the network is seldom wanted
    from index.catalogue.refresh import refresh as run  # noqa: PLC0415

    with guarded(Output(json=json)) as output:
        if read_settings().egress == "none":
            raise NothingLeaves(
                Bilingual("the hub and the price list are not asked", "不会查询 hub 和价格表")
            )
        home = _managed_home("refresh catalogue", " ".join(models or ()))
        report = run(home, hub=Hub(), names=models or (), limit=limit, prices_url=prices_url)
        if report.learnt_nothing:
            raise _nothing_learnt(report)
        output.emit(_refreshed_json(report), "\n".join(_refreshed_lines(report, output)))


@app.command("import")
def import_file(
    kind: Annotated[str, typer.Argument(help="lm-eval, mteb, llmfit or csv.")],
    path: Annotated[Path, typer.Argument(help="The file, or a folder of results for lm-eval and mteb.")],
    source: Annotated[str | None, typer.Option(help="Link to cite the figures by.")] = None,
    json: Json = False,
) -> None:
    """Take in results of other tools; says what was taken and what was not, and why."""
    from index.catalogue.imports import import_path  # noqa: PLC0415

    with guarded(Output(json=json)) as output:
        home = _managed_home("import evidence", f"{kind} {path}")
        done = import_path(home, kind, path, source=source)
        refused = [{"where": item.where, "reason": item.why.to(output.language)} for item in done.refused]
        told = Bilingual(
            f"Taken: {done.figures} figures, facts of {done.models} models. Refused: {len(refused)}.",
            f"已导入 {done.figures} 条数据、{done.models} 个模型的信息；拒绝 {len(refused)} 条。",
        ).to(output.language)
        lines = [told, *_shortened([f"- {item['where']}: {item['reason']}" for item in refused])]
        value = {
            "kind": kind,
            "figures": done.figures,
            "models": done.models,
            "refused": refused,
            "kept_in": str(done.kept_in) if done.kept_in else None,
        }
        output.emit(value, "\n".join(lines))


def _tuned_lines(tuned: TunedModel, catalogue: Catalogue, language: Language) -> list[str]:
    """What a tuned model is made of, what its licence implies, and what was measured."""
    verdict = {
        "better": Bilingual("better than its base", "优于基座"),
        "worse": Bilingual("worse than its base", "不如基座"),
        "no clear difference": Bilingual("not clearly different from its base", "与基座没有明显差别"),
    }[tuned.verdict]
    figures = ", ".join(
        f"{m.metric} {'–' if m.before is None else f'{m.before:.3f}'} → {m.after:.3f} (n = {m.n_items})"
        for m in tuned.measured
    )
    said = [
        Bilingual(
            f"base: {tuned.based_on} ({tuned.quantization})",
            f"基座：{tuned.based_on}（{tuned.quantization}）",
        ),
        Bilingual(f"adapter: {_adapter(tuned, catalogue)}", f"适配器：{_adapter(tuned, catalogue)}"),
        tuned.implies(catalogue.models.get(tuned.based_on)),
        Bilingual(
            f"measured here on held-out rows of {tuned.dataset} (job {tuned.job_id}): {verdict.en}; {figures}",
            f"在 {tuned.dataset} 的留出行上实测（任务 {tuned.job_id}）：{verdict.zh}；{figures}",
        ),
        Bilingual(
            f"compare it: `shortlist evaluate --model {tuned.id} --model {tuned.based_on} --dataset …`",
            f"与其他模型比较：`shortlist evaluate --model {tuned.id} --model {tuned.based_on} --dataset …`",
        ),
    ]
    return [f"- {line.to(language)}" for line in said]


def _adapter(tuned: TunedModel, catalogue: Catalogue) -> Path:
    return adapter_of(catalogue.jobs_home or _home(), tuned)


def _catalogue() -> Catalogue:
    return open_catalogue(_home(), jobs_home=read_settings().policy.shared)


def _managed_home(action: str, subject: str) -> Path:
    """The home, for who may change what is known; it is recorded."""
    from bot.terminal import open_terminal  # noqa: PLC0415 - looking things up needs no store

    terminal = open_terminal()
    terminal.access.require("knowledge", terminal.person, subject=f"{action} {subject}".strip())
    terminal.trail.record(action, subject, "allowed")
    return terminal.settings.folder


def _home() -> Path:
    settings = read_settings()
    configure_logging(settings)
    return settings.folder


def _age(catalogue: Catalogue, age_days: int) -> Bilingual:
    since = catalogue.refreshed
    return Bilingual(
        f"{len(catalogue.models)} models, {len(catalogue.evidence):,} figures as of {catalogue.updated} "
        f"({age_days} days old); " + (f"refreshed on {since}" if since else "not refreshed since"),
        f"{len(catalogue.models)} 个模型，{len(catalogue.evidence):,} 条数据，截至 {catalogue.updated}"
        f"（{age_days} 天前）；" + (f"已于 {since} 更新" if since else "之后未更新"),
    )


def _refreshed_json(report: Report) -> dict[str, object]:
    return {
        "asked": report.asked,
        "unchanged": report.unchanged,
        "figures": report.figures,
        "prices": report.prices,
        "left": report.left,
        "changes": [asdict(change) for change in report.changes],
        "differences": [asdict(change) for change in report.differences],
        "failures": [asdict(failure) for failure in report.failures],
    }


def _refreshed_lines(report: Report, output: Output) -> list[str]:
    told = Bilingual(
        f"Asked about {report.asked} models: {len(report.changes)} changes, {report.unchanged} models unchanged, "
        f"{report.figures} figures on their cards, {report.prices or 0} prices. {report.left} models not asked yet.",
        f"查询了 {report.asked} 个模型：{len(report.changes)} 处变化，{report.unchanged} 个无变化，"
        f"模型卡上 {report.figures} 条数据，{report.prices or 0} 条价格。还有 {report.left} 个模型未查询。",
    ).to(output.language)
    changes = [f"- {_change_line(change)}" for change in report.changes]
    kept = Bilingual("kept, though the hub says", "保留原值，hub 上为").to(output.language)
    differences = [f"- {c.name} {c.field}: {c.before} ({kept} {c.after})" for c in report.differences]
    failures = [f"- {failure.name}: {_why(failure).to(output.language)}" for failure in report.failures]
    return [told, *_shortened(changes), *_shortened(differences), *_shortened(failures)]


def _change_line(change: Change) -> str:
    return f"{change.name} {change.field}: {'?' if change.before is None else change.before} → {change.after}"


def _why(failure: Failure) -> Bilingual:
    return {
        "no answer": Bilingual("no answer; what was known stays", "没有应答；保留原有信息"),
        "no such model": Bilingual("not on the hub", "hub 上没有该模型"),
        "too many requests": Bilingual("asked too often; try again later", "请求过于频繁；请稍后再试"),
        "not understood": Bilingual("the answer was not understood", "无法理解其应答"),
    }[failure.why]


def _nothing_learnt(report: Report) -> Unavailable:
    reasons = {failure.why: failure for failure in report.failures}
    shown = [f"{failure.name}: {_why(failure).en}" for failure in reasons.values()]
    shown_zh = [f"{failure.name}：{_why(failure).zh}" for failure in reasons.values()]
    return Unavailable(
        Bilingual(
            f"Nothing was refreshed ({'; '.join(shown)}). The catalogue is as it was. Check the network, "
            "HF_ENDPOINT, and that HF_HUB_OFFLINE is not set.",
            f"没有更新任何内容（{'；'.join(shown_zh)}）。目录保持原样。请检查网络、HF_ENDPOINT，"
            "并确认没有设置 HF_HUB_OFFLINE。",
        )
    )


def _shortened(lines: list[str]) -> list[str]:
    return lines if len(lines) <= _SHOWN else [*lines[:_SHOWN], f"- … {len(lines) - _SHOWN} (--json)"]


def _price_line(price: TokenPrice) -> str:
    written = "" if price.output_usd_per_mtok is None else f" / {price.output_usd_per_mtok:g}"
    return (
        f"{price.input_usd_per_mtok:g}{written} USD/Mtok ({price.provider}, {price.date}) {price.source.url}"
    )


def _figure(item: Evidence) -> dict[str, object]:
    return {
        "benchmark": item.benchmark.name,
        "task": item.benchmark.task,
        "score": item.score,
        "kind": item.kind,
        "setting": item.setting,
        "date": item.date,
        "source": item.source.url,
        "publisher": item.source.name,
    }


def _size(model: ModelFact) -> str:
    return "?" if model.params_b is None else f"{model.params_b:.3g}B"


def _as_json(model: ModelFact) -> dict[str, object]:
    return {key: value for key, value in asdict(model).items() if value not in (None, (), [])}
