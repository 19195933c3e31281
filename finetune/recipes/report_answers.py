"""The answers of a finished evaluation -> what is worth reading of them: confusions, and rows where they differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from finetune.recipes import report_words as words
from finetune.recipes.answers import Answer
from finetune.recipes.finished import Finished
from finetune.recipes.report_html import both, folded, paragraph, said, table
from index.sealing import is_sealing

_MOST_LABELS = 20
"""A matrix of more cannot be read; the likeliest confusions are told in words all the same."""
_NAMED_CONFUSIONS = 5
_SHOWN_CASES = 8
_WORTH_READING = 0.1
"""Least difference of two scores: of 0 to 1, or in bits per byte."""


def confusions(finished: Finished) -> str:
    """What each candidate takes for what: in words, and as a matrix; the leader's is open."""
    labels = finished.result["dataset"]["labels"]
    if finished.spec.dataset.task != "classification" or not labels:
        return ""
    leader = finished.result["leader"]
    ordered = sorted(finished.answers, key=lambda name: name != leader)
    return "".join(
        _confusions_of(name, finished.answers[name], labels, is_open=name == leader) for name in ordered
    )


def _confusions_of(name: str, answers: Sequence[Answer], labels: Sequence[str], *, is_open: bool) -> str:
    matrix = _matrix(name, answers, labels) if len(labels) <= _MOST_LABELS else ""
    return (
        f"<details{' open' if is_open else ''}><summary><b>{escape(name)}</b></summary>"
        f"{_in_words(name, answers)}{matrix}</details>"
    )


def _in_words(name: str, answers: Sequence[Answer]) -> str:
    """The likeliest confusions, each against the rows that carry the right label."""
    totals = Counter(answer.label for answer in answers)
    wrong = Counter(
        (answer.label, answer.prediction) for answer in answers if answer.prediction != answer.label
    )
    if not wrong:
        return paragraph(said(words.NO_CONFUSION, name=name))
    lines = [
        said(words.CONFUSION, label=label, prediction=prediction, count=count, total=totals[label])
        for (label, prediction), count in wrong.most_common(_NAMED_CONFUSIONS)
    ]
    return (
        paragraph(said(words.CONFUSIONS_OF, name=name))
        + f"<ul>{''.join(f'<li>{line}</li>' for line in lines)}</ul>"
    )


def _matrix(name: str, answers: Sequence[Answer], labels: Sequence[str]) -> str:
    said_labels = [answer.prediction if answer.prediction in labels else "" for answer in answers]
    counts = Counter(zip((answer.label for answer in answers), said_labels, strict=True))
    columns = [*labels, *([""] if "" in said_labels else [])]
    lines = []
    for label in labels:
        total = sum(counts[label, column] for column in columns) or 1
        shades = [(counts[label, column], counts[label, column] / total) for column in columns]
        lines.append(f"<tr><td>{escape(label)}</td>{''.join(_shaded(*shade) for shade in shades)}</tr>")
    heads = ["", *(escape(column) if column else both(words.OTHER_ANSWER) for column in columns)]
    return table(heads, lines, "matrix") + paragraph(said(words.MATRIX_NOTE, name=name), "small")


def _shaded(count: int, share: float) -> str:
    return f'<td style="background: rgb(0 114 178 / {0.6 * share:.2f})">{count or ""}</td>'


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One row on which the leader and others differ."""

    row: str
    gap: float
    """Score of the best, or worst, of the others, minus the leader's."""
    many: int
    """How many of the others are on the far side."""


def disagreements(finished: Finished) -> str:
    """Rows on which another beats the leader, and rows on which the leader beats another, the clearest first."""
    leader = finished.result["leader"]
    by_row = _by_row(finished.answers)
    is_likelihood = finished.spec.dataset.task == "language-modelling"
    # The page lies open on the disk: where rows are sealed it names them by number.
    texts = {} if is_sealing() else {row.id: row.text for row in finished.rows}
    parts = []
    for heading, sign in ((words.LEADER_LOSES, 1), (words.LEADER_WINS, -1)):
        cases = _cases(by_row, leader, sign)
        if cases:
            shown = "".join(
                _card(by_row[case.row], texts, leader, is_likelihood=is_likelihood)
                for case in cases[:_SHOWN_CASES]
            )
            count = said(words.SHOWN_OF, shown=min(len(cases), _SHOWN_CASES), all=len(cases))
            parts.append(f"<h3>{said(heading, leader=leader)}</h3>{paragraph(count, 'small')}{shown}")
    return "".join(parts)


def _by_row(answers: Mapping[str, Sequence[Answer]]) -> dict[str, dict[str, Answer]]:
    found: dict[str, dict[str, Answer]] = {}
    for name, given in answers.items():
        for answer in given:
            found.setdefault(answer.row, {})[name] = answer
    return found


def _cases(by_row: Mapping[str, Mapping[str, Answer]], leader: str, sign: int) -> list[_Case]:
    """Sign 1: the leader is worse than some other. Sign -1: it is better."""
    found = []
    for row, answers in by_row.items():
        if leader not in answers:
            continue
        own = answers[leader].score
        gaps = [sign * (answer.score - own) for name, answer in answers.items() if name != leader]
        far = [gap for gap in gaps if gap >= _WORTH_READING]
        if far:
            found.append(_Case(row=row, gap=max(far), many=len(far)))
    return sorted(found, key=lambda case: (-case.gap, -case.many, case.row))


def _card(
    answers: Mapping[str, Answer], texts: Mapping[str, str], leader: str, *, is_likelihood: bool
) -> str:
    first = next(iter(answers.values()))
    right = f"<dt>{both(words.RIGHT)}</dt><dd>{folded(first.label)}</dd>" if first.label and texts else ""
    ordered = sorted(answers, key=lambda name: name != leader)
    lines = "".join(_line(name, answers[name], is_likelihood=is_likelihood) for name in ordered)
    return (
        f'<div class="case"><p class="small">{said(words.ROW, id=first.row)}</p>'
        f"<p>{folded(texts.get(first.row, ''))}</p><dl>{right}{lines}</dl></div>"
    )


def _line(name: str, answer: Answer, *, is_likelihood: bool) -> str:
    if is_likelihood:
        return f"<dt>{escape(name)}</dt><dd>{-answer.score:.3f}</dd>"
    given = folded(answer.prediction) if answer.prediction.strip() else both(words.NOTHING_SAID)
    is_graded = 0 < answer.score < 1 or answer.score > 1
    kind = "right" if answer.correct else "" if is_graded else "wrong"
    score = f" <i>({answer.score:.2f})</i>" if is_graded else ""
    return f'<dt>{escape(name)}</dt><dd class="{kind}">{given}{score}</dd>'
