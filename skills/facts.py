"""Named models and what is asked of them -> one sentence for each fact, with its source; or a card of a few lines.

The fields, their words and their sentences are data (`lexicon/facts.yaml`). What the catalogue does not hold is
called unknown, never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from index.bilingual import Bilingual
from index.records import ModelFact
from skills import needs, scores
from skills.cited import Sources
from skills.conversation.answer import Answer
from skills.conversation.parse.asked import fact_fields, facts_asked
from skills.conversation.parse.statement import Statement
from skills.conversation.request import Request
from skills.desk import Desk
from skills.fact import Found, Question
from skills.fact_values import CHECKS, STYLES
from skills.measured import latest_line
from skills.wording import short_name

_IMPLIED = {
    "licences": "licence",
    "languages": "languages",
    "modalities": "modalities",
    "quantization": "memory",
    "max_memory_gib": "memory",
    "min_context_tokens": "context",
    "hosting": "open_weights",
}
"""What a turn asks for that names a value and no field: "is phi-4 MIT?" asks for the licence."""
_COMPUTED: dict[str, Callable[[Question, ModelFact, Sources], Found | None]] = {
    "memory": needs.memory,
    "price": needs.price,
}
_ON_A_CARD = ("parameters", "context", "licence", "released", "languages")
"""What a card tells of a model, where it is known."""


def answer(request: Request, statement: Statement, desk: Desk, models: Sequence[ModelFact]) -> Answer:
    """What is asked of these models, and no more; a compact card of each when nothing in particular is asked."""
    benchmarks = scores.benchmarks_named(statement.reading, desk.catalogue)
    question = Question(
        request=request,
        statement=statement,
        desk=desk,
        fields=_fields_asked(statement, benchmarks),
        benchmarks=benchmarks,
    )
    sources = Sources()
    lines = [line for field in question.fields for line in _lines(question, field, models, sources)]
    if len(lines) > 1:
        lines = ["\n".join(f"- {line}" for line in lines)]
    cards = [] if question.fields else ["\n".join(_card(question, model, sources)) for model in models]
    text = "\n\n".join(
        part for part in (*lines, *cards, *_measured(question, models), sources.listed) if part
    )
    return Answer.to(request, text, citations=tuple(sources.citations))


def _fields_asked(statement: Statement, benchmarks: Sequence[str]) -> tuple[str, ...]:
    """The fields that are named, else those whose values are named."""
    fields = statement.fields
    asked = list(facts_asked(statement.reading.tokens))
    if benchmarks and "scores" not in asked:
        asked.append("scores")
    if not asked:
        asked = [field for name, field in _IMPLIED.items() if name in fields]
        if fields.get("licences") == ("commercial",):
            asked[asked.index("licence")] = "commercial"
    if "memory" in asked and "min_context_tokens" in fields and "context" in asked:
        asked.remove("context")
    return tuple(dict.fromkeys(asked))


def _lines(question: Question, field: str, models: Sequence[ModelFact], sources: Sources) -> list[str]:
    if field == "scores":
        return _score_lines(question, models, sources)
    found = [_fact(question, field, model, sources) or _unknown(field, model) for model in models]
    return [item.sentence(question.language) for item in found]


def _fact(question: Question, field: str, model: ModelFact, sources: Sources) -> Found | None:
    compute = _COMPUTED.get(field)
    return compute(question, model, sources) if compute else _stored(question, field, model, sources)


def _score_lines(question: Question, models: Sequence[ModelFact], sources: Sources) -> list[str]:
    wanted = scores.Wanted(
        benchmarks=question.benchmarks,
        task=question.stated("task"),
        languages=question.stated("languages") or (),
        is_alone=len(models) == 1 and len(question.fields) == 1,
    )
    catalogue = question.desk.catalogue
    return [scores.line(model, wanted, catalogue, sources, question.language) for model in models]


def _measured(question: Question, models: Sequence[ModelFact]) -> list[str]:
    """What was measured here of these models, beside their cards and where scores in general are asked for."""
    if question.benchmarks or (question.fields and "scores" not in question.fields):
        return []
    return [latest_line(question.desk, model.id, question.language) for model in models]


def _unknown(field: str, model: ModelFact) -> Found:
    noun = Bilingual(**fact_fields()[field]["unknown"])
    name = short_name(model.id)
    return Found(
        says=Bilingual(
            f"the {noun.en} of {name} is unknown to me: no source in the catalogue states it",
            f"{name} 的{noun.zh}未知：目录中的来源都没有写明",
        )
    )


def _stored(question: Question, field: str, model: ModelFact, sources: Sources) -> Found | None:
    """A field that the catalogue holds."""
    known = fact_fields()[field]
    value = getattr(model, known["attribute"], None)
    if value in (None, (), "unknown"):
        return None
    if "cases" in known:
        case = str(value).lower() if isinstance(value, bool) else str(value)
        if case not in known["cases"]:
            return None
        says = _filled(known["cases"][case], model, Bilingual("", ""))
    else:
        says = _filled(known["says"], model, STYLES[known["style"]](question, model, value))
    check = CHECKS.get(field)
    verdict = check(question, value) if check else None
    marks = sources.marks_of(model)
    return Found(says=says, marks=marks, verdict=verdict)


def _filled(sentence: dict[str, str], model: ModelFact, value: Bilingual) -> Bilingual:
    name = short_name(model.id)
    return Bilingual(
        sentence["en"].format(name=name, value=value.en), sentence["zh"].format(name=name, value=value.zh)
    )


def _card(question: Question, model: ModelFact, sources: Sources) -> list[str]:
    """A few lines on one model."""
    language, name = question.language, short_name(model.id)
    known = [found for field in _ON_A_CARD if (found := _stored(question, field, model, sources))]
    first, *others = [found.says.to(language) for found in known] or [name]
    joint = "；" if language == "zh" else "; "
    about = joint.join([first, *(says.removeprefix(name).removeprefix(" 的").strip() for says in others)])
    need = needs.memory(question, model, sources) or needs.price(question, model, sources)
    figures = scores.names_line(model, question.desk.catalogue, language)
    told = [Found(says=Bilingual(about, about), marks=sources.marks_of(model)).sentence(language)]
    return [
        f"**{model.id}**",
        *told,
        *([need.sentence(language)] if need else []),
        *([figures] if figures else []),
    ]
