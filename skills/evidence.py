"""Catalogue and measurements -> the figures that a recommendation rests on, most telling first, and their links."""

from __future__ import annotations

from collections.abc import Sequence

from index.bilingual import Bilingual, Language
from index.catalogue import Catalogue
from index.records import Evidence, EvidenceKind, Measurement
from skills.conversation.answer import Citation, EvidenceLine, Recommendation
from skills.ranking.rank import Option
from skills.ranking.shortlist import Shortlist
from skills.wording import quantization_name, short_name

_LINES = 5
_CITED_EACH = 2
_KIND_ORDER = {"measured": 0, "published": 1, "self-reported": 2, "estimated": 3}
_KIND_NAMES: dict[EvidenceKind, Bilingual] = {
    "measured": Bilingual("measured here", "本地实测"),
    "published": Bilingual("published", "第三方发布"),
    "self-reported": Bilingual("vendor-reported", "厂商自报"),
    "estimated": Bilingual("estimated", "估计"),
}


def evidence_lines(
    option: Option, shortlist: Shortlist, catalogue: Catalogue, language: Language
) -> tuple[EvidenceLine, ...]:
    """What was measured here, then published figures of the task's skills.

    Without any, the estimate is named as such, with the figures of other skills that it rests on.
    """
    weights = shortlist.criteria.skill_weights
    spoken = {*(shortlist.requirements.languages or ()), "en", "multi"}

    def order(item: Evidence) -> tuple[object, ...]:
        is_foreign = item.benchmark.language not in spoken
        weight = weights.get(item.benchmark.task, 0.0)
        return (is_foreign, _KIND_ORDER[item.kind], -weight, _newest_first(item))

    figures = sorted(catalogue.evidence_of(option.model.id), key=order)
    of_the_task = [_published_line(item) for item in figures if item.benchmark.task in weights][:_LINES]
    measured = option.loss.measured or option.loss.near
    if measured:
        return (measured_line(measured, language), *of_the_task)
    if of_the_task:
        return tuple(of_the_task)
    others = [_published_line(item) for item in figures[:_LINES]]
    return (_estimated_line(option, shortlist, language), *others)


def measured_line(row: Measurement, language: Language) -> EvidenceLine:
    """One figure that was measured here."""
    interval = ""
    if row.ci95_low is not None and row.ci95_high is not None:
        interval = f", 95% {row.ci95_low:.2f}–{row.ci95_high:.2f}"
    detail = Bilingual(f"{row.n_items} items{interval}", f"{row.n_items} 条{interval}").to(language)
    return EvidenceLine(
        benchmark=f"{row.metric} · {row.dataset_name} · {quantization_name(row.quantization, language)}",
        score=round(row.value, 4),
        kind="measured",
        source=f"job {row.job_id}",
        date=row.created_at_utc[:10],
        scale_max=1.0,
        detail=detail,
    )


def citations_for(recommendations: Sequence[Recommendation], language: Language) -> tuple[Citation, ...]:
    """Number the most telling figures of each recommendation."""
    lines = [(item, line) for item in recommendations for line in item.evidence[:_CITED_EACH]]
    return tuple(
        Citation(
            n=n,
            title=f"{short_name(item.model, item.adapter)}: {line.benchmark} {line.score:g}",
            source=line.source,
            locator=kind_in_words(line, language),
            quote=line.detail or "",
        )
        for n, (item, line) in enumerate(lines, start=1)
    )


def kind_in_words(line: EvidenceLine, language: Language) -> str:
    """How a figure came about, for a person."""
    kind = kind_name(line.kind, language)
    return f"{kind}, {line.date}" if line.date else kind


def kind_name(kind: EvidenceKind, language: Language) -> str:
    """How a kind of figure is called."""
    return _KIND_NAMES[kind].to(language)


def figures_newest_first(figures: Sequence[Evidence]) -> list[Evidence]:
    """Figures by date; those of one day, and those without a date at the end, stay in order."""
    return sorted(figures, key=_newest_first)


def _published_line(item: Evidence) -> EvidenceLine:
    return EvidenceLine(
        benchmark=item.benchmark.name,
        score=item.score,
        kind=item.kind,
        source=item.source.url,
        date=item.date,
        scale_max=item.benchmark.scale_max,
        detail=item.setting,
    )


def _estimated_line(option: Option, shortlist: Shortlist, language: Language) -> EvidenceLine:
    why = Bilingual(
        "no figure for this task: predicted from its other figures, size and release date",
        "该任务没有公开数据：由其他数据、规模和发布日期推算",
    )
    return EvidenceLine(
        benchmark=Bilingual("expected score on this task", "该任务的预期得分").to(language),
        score=round(1 - option.loss.value, 4),
        kind="estimated",
        source="docs/ranking.md",
        date=shortlist.data_updated,
        scale_max=1.0,
        detail=why.to(language),
    )


def _newest_first(item: Evidence) -> tuple[int, ...]:
    digits = [int(part) for part in (item.date or "0").split("-")]
    return tuple(-part for part in digits)
