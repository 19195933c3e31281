"""An answer without the model -> the evidence that a worded text is checked against: facts, sources, names.

A fact is one clause of the answer, of a citation or of a recommendation, with the models it is about, its numbers and
the marks it is cited with. What the person said counts too, but only for what is said to them about themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from skills.conversation.answer import Answer, Citation, Recommendation
from skills.conversation.models_named import ModelNames
from skills.grounding.prose import divided, sentences_of
from skills.grounding.quantities import Quantity, quantities
from skills.grounding.sentences import sentences
from skills.grounding.terms import LINK, MARK, content, licences, without_licences

_CLAUSE_END = re.compile(
    r"(?<!\d),(?!\d)|,(?=\s)|[;；，。！？!?、|]|(?<=\s)[–—-](?=\s)|\.(?=\s|$)"
    r"|\b(?:and|but|while|whereas|against|versus|vs\.?|than|(?<!give )or|compared (?:with|to))\b"
    r"|\b(?:instead of|rather than|because|since|so|although|though|unlike)\b"
    r"|而(?!且)|但是?|比(?!较|例)|因为|所以|因此|相比|以及|和(?=[A-Za-z])|或(?=[A-Za-z\d])|对比",
    re.IGNORECASE | re.ASCII,
)
_CONTRAST = re.compile(
    r"(?:\b(?:against|versus|vs\.?|than|compared (?:with|to)|instead of|rather than)"
    r"|比|相比|对比)\W*$",
    re.IGNORECASE | re.ASCII,
)
_IT = re.compile(r"\b(?:it|its)\b|它", re.IGNORECASE | re.ASCII)
_AMOUNT_OF = re.compile(r"\b(?:more|less|fewer|greater|higher|lower) than\W*$", re.IGNORECASE | re.ASCII)
LEANS = re.compile(
    r"^\W*(?:it|its|they|their|he|she|the (?:former|latter|same))\b|^\W*(?:它|其|该模型|前者|后者)",
    re.IGNORECASE | re.ASCII,
)
_SOURCE_LINE = re.compile(r"^\[\d+\] ")
_TABLE_RULE = re.compile(r"^\|(?:\s*:?-+:?\s*\|)+$")
_TOKEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+/-]*")


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of a sentence, what it is about, and its numbers with the model that each belongs to."""

    text: str
    models: frozenset[str]
    numbers: tuple[tuple[Quantity, frozenset[str]], ...]


@dataclass(frozen=True, slots=True)
class Fact:
    """A clause of the evidence."""

    clause: Clause
    sentence: str
    marks: frozenset[int] = frozenset()
    """Empty for what the answer itself computed."""
    is_computed: bool = False
    """A figure of the ranking."""
    is_asked: bool = False
    """Said by the person, not by the evidence."""


@dataclass(frozen=True)
class Evidence:
    """All that a worded text may say."""

    facts: tuple[Fact, ...]
    marks: frozenset[int]
    texts: tuple[str, ...]
    names: ModelNames
    recommendations: tuple[Recommendation, ...] = ()
    source_models: dict[int, frozenset[str]] = field(default_factory=dict)
    source_texts: dict[int, str] = field(default_factory=dict)
    units: tuple[str, ...] = ()
    """The sentences of the answer without the model that wording would replace."""

    @cached_property
    def text(self) -> str:
        """Everything, in small letters."""
        return "\n".join(self.texts).lower()

    @cached_property
    def tokens(self) -> frozenset[str]:
        """Names and words as written, and their parts, in small letters."""
        found = {token.strip("._+/-") for token in _TOKEN.findall(self.text)}
        return frozenset(found | {part for token in found for part in re.split(r"[._+/-]", token)})

    @cached_property
    def content(self) -> frozenset[str]:
        """What the evidence is about."""
        return frozenset().union(*(content(text) for text in self.texts))

    @cached_property
    def models(self) -> frozenset[str]:
        """The models that the evidence, not only the person, names."""
        return frozenset().union(*(fact.clause.models for fact in self.facts if not fact.is_asked))

    @cached_property
    def benchmarks(self) -> frozenset[str]:
        """The names of the benchmarks that figures are of, in small letters."""
        lines = {line.benchmark for item in self.recommendations for line in item.evidence}
        return frozenset(name.lower() for name in lines)

    @cached_property
    def licences(self) -> frozenset[str]:
        """The licences that it names."""
        return frozenset().union(*(licences(text) for text in self.texts))

    @cached_property
    def licence_of(self) -> dict[str, frozenset[str]]:
        """The licence of each model that is recommended."""
        return {r.model: licences(r.licence) for r in self.recommendations if r.licence}


def evidence_of(answer: Answer, question: str, names: ModelNames) -> Evidence:
    """Everything that an answer without the model knows."""
    facts = [
        *_facts_of_text(answer.text, names),
        *(fact for citation in answer.citations for fact in _facts_of_citation(citation, names)),
        *(fact for item in answer.recommendations for fact in _facts_of_recommendation(item, names)),
        *_facts(question, names, is_asked=True),
    ]
    sources = {c.n: f"{c.title}. {c.quote} {c.locator} {c.source}" for c in answer.citations}
    return Evidence(
        facts=tuple(facts),
        marks=frozenset(sources),
        texts=(*(fact.sentence for fact in facts), *sources.values()),
        names=names,
        recommendations=answer.recommendations,
        source_models={n: models_in(text, names) for n, text in sources.items()},
        source_texts=sources,
        units=tuple(sentences_of(divided(answer)[0])),
    )


def models_in(text: str, names: ModelNames) -> frozenset[str]:
    """The models that a text names: catalogue ids, `~family`, `?unknown`."""
    return frozenset(key for _, _, key in mentions(text, names))


def mentions(text: str, names: ModelNames) -> list[tuple[int, int, str]]:
    """Where each model is named, and its key."""
    found = names.find(text.lower())
    return [
        (m.start, m.end, m.id or (f"~{m.family}" if m.family else f"?{text[m.start : m.end].lower()}"))
        for m in found
    ]


def clauses(text: str, names: ModelNames, carried: frozenset[str] = frozenset()) -> list[Clause]:
    """The clauses of one sentence. A clause that names no model is about that of the clause before it."""
    text = (
        MARK.sub(lambda m: " " * len(m.group()), text).replace("**", "  ").replace("`", " ").replace("_", " ")
    )
    named = mentions(text, names)
    bounds = [
        m.span()
        for m in _CLAUSE_END.finditer(text)
        if not any(s < m.end() and m.start() < e for s, e, _ in named)
    ]
    starts, ends = [0, *(end for _, end in bounds)], [*(start for start, _ in bounds), len(text)]
    subject = (
        carried
        if carried and (not named or _leans(text, named))
        else frozenset(key for _, _, key in named[:1])
    )
    made = []
    for start, end in zip(starts, ends, strict=True):
        here = [(s - start, e - start, key) for s, e, key in named if start <= s < end]
        if here or (_CONTRAST.search(text[:start]) and not _AMOUNT_OF.search(text[:start])):
            subject = frozenset(key for _, _, key in here[-1:])
        if text[start:end].strip():
            made.append(_clause(text[start:end], here, subject))
    return made


def _leans(text: str, named: Sequence[tuple[int, int, str]]) -> bool:
    """Whether the sentence speaks of "it" before it names a model."""
    return bool(LEANS.search(text) or _IT.search(text[: named[0][0]] if named else text))


def subject_of(parts: Sequence[Clause]) -> frozenset[str]:
    """The model that a sentence is about, and "it" in the next one: the first that it names."""
    return next((part.models for part in parts if part.models), frozenset())


def _clause(text: str, here: Sequence[tuple[int, int, str]], subject: frozenset[str]) -> Clause:
    plain = without_licences(_blanked(text, here))
    numbers = tuple((q, _nearest(q, here) or subject) for q in quantities(plain))
    return Clause(text, frozenset(key for _, _, key in here) or subject, numbers)


def _blanked(text: str, spans: Iterable[tuple[int, int, str]]) -> str:
    for start, end, _ in spans:
        text = text[:start] + " " * (end - start) + text[end:]
    return LINK.sub(lambda m: " " * len(m.group()), text)


def _nearest(q: Quantity, here: Sequence[tuple[int, int, str]]) -> frozenset[str]:
    before = [key for _, end, key in here if end <= q.start + 1]
    return frozenset({before[-1]}) if before else frozenset(key for _, _, key in here[:1])


def _facts(
    text: str, names: ModelNames, marks: frozenset[int] = frozenset(), *, is_asked: bool = False
) -> Iterator[Fact]:
    carried: frozenset[str] = frozenset()
    for sentence in sentences(text):
        own = frozenset(int(n) for n in MARK.findall(sentence)) or marks
        parts = clauses(sentence, names, carried)
        yield from (Fact(clause, sentence, own, is_asked=is_asked) for clause in parts)
        carried = subject_of(parts) or carried


def _facts_of_text(text: str, names: ModelNames) -> Iterator[Fact]:
    header: list[str] = []
    for block in text.split("\n\n"):
        marks = frozenset(int(n) for n in MARK.findall(block))
        for line in _joined_lines(block):
            if line.startswith("|"):
                header, facts = _facts_of_row(line, header, names)
                yield from facts
            elif not _SOURCE_LINE.match(line):
                yield from _facts(line, names, marks)


def _joined_lines(block: str) -> list[str]:
    return [
        line.removeprefix("> ") for line in block.splitlines() if line.strip() and not _TABLE_RULE.match(line)
    ]


def _facts_of_row(line: str, header: list[str], names: ModelNames) -> tuple[list[str], list[Fact]]:
    cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
    if len(header) != len(cells):
        return cells, []
    marks = frozenset(int(n) for n in MARK.findall(line))
    about = next((cell for cell in cells if models_in(cell, names)), cells[0])
    named = models_in(about, names)
    texts = [
        f"{about} {name}: {cell}" for name, cell in zip(header, cells, strict=True) if name and cell != about
    ]
    rest = (
        Fact(clause, text, marks)
        for text in texts
        for clause in [Clause(text, named, tuple((q, named) for q in _numbers(text, names)))]
    )
    return header, list(rest)


def _numbers(text: str, names: ModelNames) -> tuple[Quantity, ...]:
    return quantities(without_licences(_blanked(MARK.sub("", text), mentions(MARK.sub("", text), names))))


def _facts_of_citation(citation: Citation, names: ModelNames) -> Iterator[Fact]:
    marks = frozenset({citation.n})
    yield from _facts(f"{citation.title}, {citation.locator}", names, marks)
    for line in _joined_lines(citation.quote):
        yield from _facts(line, names, marks)


def _facts_of_recommendation(item: Recommendation, names: ModelNames) -> Iterator[Fact]:
    about = models_in(item.model, names) or frozenset({item.model})
    for text in _figures_in_words(item):
        yield Fact(_clause_about(text, about, names), text, is_computed=True)
    for text in (*item.reasons, item.cost.basis, *_evidence_in_words(item)):
        yield Fact(_clause_about(text, about, names), f"{item.model}: {text}")


def _clause_about(text: str, about: frozenset[str], names: ModelNames) -> Clause:
    return Clause(text, about, tuple((q, about) for q in _numbers(text, names)))


def _figures_in_words(item: Recommendation) -> Iterator[str]:
    loaded = {
        "none": "16-bit 16 位 bf16",
        "bf16": "16-bit 16 位 bf16",
        "fp16": "16-bit 16 位 fp16",
        "nf4": "nf4 4-bit 4 位",
        "int8": "int8 8-bit 8 位",
        None: "hosted API 托管",
    }[item.quantization]
    yield f"{item.model} ranked 排名, {loaded}"
    if item.vram_gib is not None:
        yield f"{item.model} {loaded} memory 显存 {item.vram_gib} GiB"
    if item.cost.value is not None:
        yield f"{item.model} cost 成本 ${item.cost.value:.4f} per million tokens"
    yield f"{item.model} expected quality 预期质量 {1 - item.loss.value:.4f}"
    yield f"{item.model} expected quality 预期质量 ± {1.96 * item.loss.se:.4f}"
    yield f"{item.model} loss 损失 {item.loss.value:.4f}"
    yield f"{item.model} total score 总分 {item.score:.4f}"
    yield f"{item.model} probability likely best 最优概率 {item.p_best * 100:.1f}%"
    if item.licence:
        yield f"{item.model} licence license 许可证 {item.licence}"
    if item.context_tokens:
        yield f"{item.model} context 上下文 {item.context_tokens} tokens"
    if item.params_b:
        yield f"{item.model} size parameters 参数 {item.params_b:g}B"
    if item.tokens_per_s:
        yield f"{item.model} speed 速度 {item.tokens_per_s} tokens/s"


def _evidence_in_words(item: Recommendation) -> Iterator[str]:
    for line in item.evidence:
        percent = f" {line.score:g}%" if line.scale_max == 100 else ""
        yield f"{item.model} {line.benchmark} {line.score:g}{percent} ({line.kind}, {line.date or ''}) {line.detail or ''}"
