"""What a turn's cues add up to: a question, an order, a choice asked for, a topic that is ours or is not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from skills.conversation.parse.lexicon import words
from skills.conversation.parse.phrases import Match
from skills.conversation.parse.reading import Reading
from skills.conversation.parse.relative import read_relative
from skills.conversation.parse.released import released
from skills.conversation.parse.restated import read_restated
from skills.conversation.parse.statement import Statement, ids_of
from skills.conversation.request import Request

_WHICH_REACH = 9
"""How far "which" may stand from "model", in tokens."""
_ORDER_REACH = 7
_STRONG_FIELDS = frozenset(
    {
        "max_memory_gib",
        "min_context_tokens",
        "min_params_b",
        "max_params_b",
        "max_usd_per_mtok",
        "tokens_per_month",
        "quantization",
    }
)
_WEAK_FIELDS = frozenset(
    {"languages", "priority", "modalities", "finetune", "budget_usd_per_month", "hosting", "gpus"}
    | {
        "vendors",
        "excluded_vendors",
        "origins",
        "excluded_origins",
        "excluded_licences",
        "reasoning",
        "architecture",
    }
    | {
        "max_latency_s",
        "max_first_token_s",
        "min_tokens_per_s",
        "requests_per_month",
        "peak_requests_per_min",
    }
)
"""Fields that narrow a choice by themselves too little to make a turn a wish."""
_DENIABLE = ("language", "licence", "modality", "hosting", "priority", "task")
_WELCOMES = ("welcome_origins", "welcome_vendors", "welcome_architecture", "welcome_reasoning")
_TECHNIQUES = frozenset({"finetune", "quantization"})


@dataclass(frozen=True)
class Signals:
    """Everything that the choice of a skill rests on."""

    statement: Statement
    previous: Request | None
    shown: Sequence[str]
    """Ids of the last recommendations, best first."""
    recent: Sequence[str]
    """Ids that the last turn was about, when it was about some."""

    @property
    def pointed_at(self) -> Sequence[str]:
        """What "it" and "them" stand for."""
        return self.recent or self.shown

    @property
    def reading(self) -> Reading:
        """The turn's text and cues."""
        return self.statement.reading

    @property
    def fields(self) -> dict[str, Any]:
        """What the turn states."""
        return self.statement.fields

    @cached_property
    def relative(self) -> dict[str, Any]:
        """Fields of the thread that the turn changes relative to what they were."""
        if self.previous is None:
            return {}
        said = (self.reading, self.statement.quantities, self.previous.requirements)
        return {**read_relative(*said), **read_restated(*said, self.fields)}

    @cached_property
    def has_limits(self) -> bool:
        """Something is stated, beside the task, that a model must hold."""
        return bool(set(self.fields) - _WEAK_FIELDS - {"task"})

    @cached_property
    def n_words(self) -> int:
        """Length of the turn: what a phrase of the lexicons covers counts as one word."""
        count, end = 0, 0
        for match in self.reading.matches:
            if match.start >= end:
                count, end = count + 1, match.end
        covered = {i for match in self.reading.matches for i in range(match.start, match.end)}
        loose = [i for i, t in enumerate(self.reading.tokens) if i not in covered and t.text[0].isalnum()]
        return count + len(loose)

    @cached_property
    def takes_back(self) -> bool:
        """Something is named in order not to have it, or not to mind it any more."""
        denied = (self.reading.denied(category) for category in _DENIABLE)
        is_lifted = bool(self.statement.lifted) or self.reading.has_any(*_WELCOMES)
        is_released = self.previous is not None and bool(
            released(self.reading, self.previous.requirements.model_dump(exclude_none=True))
        )
        return bool(self.statement.rejected) or any(denied) or is_lifted or is_released

    @cached_property
    def names_kind_of_model(self) -> bool:
        """ "A reasoning model": how it should work, which is its task only where no other is known."""
        return "task" in self.reading.values("thinking") and self.fields.get("task") == "reasoning"

    @cached_property
    def is_question(self) -> bool:
        """Ends with a question mark or a question particle."""
        tail = "".join(token.text for token in self.reading.tokens[-2:])
        is_tag = self.reading.tokens[-1:] and self.reading.tokens[-1].text in words("text", "question_tags")
        return tail.endswith(("?", "吗", "呢", "么")) or "吗" in tail or bool(is_tag)

    @cached_property
    def names_models(self) -> bool:
        """Some model, family or unknown model is named as a topic."""
        return bool(self.statement.mentions)

    @cached_property
    def points_back(self) -> bool:
        """A rank, or a pronoun while there is something to point at."""
        return self.statement.names_rank or bool(self.pointed_at and self.reading.has("pronoun"))

    @cached_property
    def model_targets(self) -> bool:
        """There is a model to act on: named, unknown, ranked, or the one just talked about."""
        return bool(
            ids_of(self.statement.mentions) or self.statement.unknown_models or self.points_back
        ) or bool(self.shown and self.statement.families)

    @cached_property
    def is_ours(self) -> bool:
        """Strong evidence that the turn is about language models or what they run on."""
        has_accelerator = any(match.value != "CPU" for match in self.reading.all("gpu"))
        return (
            self.names_models
            or has_accelerator
            or bool(self.statement.rejected)
            or self.reading.has_any("domain", "model_noun", "quantization")
            or not _STRONG_FIELDS.isdisjoint(self.fields)
        )

    @cached_property
    def asks_choice(self) -> Match | None:
        """The first cue that asks for a model to be chosen."""
        if self.weighs_techniques:
            return None
        cues = [*self._which_models(), *self._choices(), *self._superlatives()]
        return min(cues, key=lambda match: match.start, default=None)

    @cached_property
    def asks_knowledge(self) -> bool:
        """A question or a request for an explanation, whatever it is about."""
        reading = self.reading
        if reading.has_any("how", "how_much", "why") or self._asks_for_definition:
            return True
        if self.weighs_techniques and (self.is_question or self.reading.text.language == "zh"):
            return True
        if self.yes_no is not None or self._asks_for_other_things:
            return True
        is_about_techniques = (
            reading.has("domain") and not set(self.fields) - _TECHNIQUES - self._technique_task
        )
        return self.is_question and (bool(self.statement.topics) or is_about_techniques)

    @cached_property
    def _asks_for_definition(self) -> bool:
        """Not in "describe product photos": there it is what the model should do."""
        is_work = "task" in self.fields and not self.is_question
        cues = [self.reading.gap(m.start, m.end) for m in self.reading.all("define")]
        return any(cue != "describe" or not is_work for cue in cues)

    @cached_property
    def weighs_techniques(self) -> bool:
        """ "RAG or fine-tuning?", "int8 还是 nf4": ways of working are weighed, not models."""
        links = {self.reading.gap(match.start, match.end) for match in self.reading.all("compare_weak")}
        ways = {
            match.start for category in ("domain", "quantization") for match in self.reading.all(category)
        }
        is_about_models = self.reading.has("model_noun") or self.names_models
        return not links.isdisjoint({"or", "还 是", "或"}) and len(ways) >= 2 and not is_about_models

    @property
    def _technique_task(self) -> set[str]:
        """RAG and embeddings are ways of working as much as tasks."""
        return {"task"} if self.fields.get("task") in ("rag", "embedding") else set()

    @cached_property
    def yes_no(self) -> Match | None:
        """A yes-or-no question: English words count where a clause begins."""
        for match in self.reading.all("yes_no"):
            is_english = self.reading.tokens[match.start].is_word
            if not is_english or self.starts_clause(match.start):
                return match
        opens_with_will = self.reading.gap(0, 1) in ("will", "would")
        if opens_with_will and self.names_models and self.is_question:
            return Match("yes_no", "yes_no", 0, 1)  # "will phi-4 run on a T4?", not "will need a T4"
        return None

    def starts_clause(self, position: int) -> bool:
        """True when nothing but conjunctions and politeness stands before it in its clause."""
        before = self.reading.tokens[self.clause_start(position) : position]
        openers = words("text", "clause_openers")
        return all(token.text in openers for token in before)

    def clause_start(self, position: int) -> int:
        """The first token of the clause that holds the token at `position`."""
        while position > 0 and self.reading.same_clause(position - 1, position):
            position -= 1
        return position

    def order_before(self, position: int) -> Match | None:
        """ "please", "帮我": what makes a verb an order."""
        return self.reading.before(position, "order", _ORDER_REACH)

    def _which_models(self) -> Iterator[Match]:
        for which in self.reading.all("which"):
            is_of_models = self._noun_after(which.end, _WHICH_REACH) == "model_noun"
            if (is_of_models and not self._speaks_of_theirs(which)) or self._uses(which):
                yield which

    def _speaks_of_theirs(self, which: Match) -> bool:
        """ "What mistakes does the model make": of a model that is there, and not which one to take."""
        noun = self.reading.after(which.end, "model_noun", _WHICH_REACH)
        is_of = self.reading.tokens[which.end - 1].text == "of"
        if (
            noun is None
            or is_of
            or any(which.end <= m.start < noun.start for m in self.reading.all("superlative"))
        ):
            return False
        return self.reading.tokens[noun.start - 1].text in words("text", "owners") and noun.start > which.end

    def _uses(self, which: Match) -> bool:
        """ "what fits on a T4", "which one": no noun, but a use, of something that is ours."""
        if self._asks_other(which) or not (self.is_ours or "task" in self.fields):
            return False
        verb = self.reading.after(which.end, "use_verb", 3)
        following = self.reading.gap(which.end, which.end + 1)
        return verb is not None or following in ("one", "ones", "个", "款")

    def _asks_other(self, which: Match) -> bool:
        return self._noun_after(which.end, 4) == "other_noun"

    @cached_property
    def _asks_for_other_things(self) -> list[Match]:
        """Cues that ask for a metric, a card, a method: for anything but a model."""
        cues = [m for c in ("which", "choose") for m in self.reading.all(c) if not self._is_about_a_place(m)]
        return [cue for cue in cues if self._asks_other(cue)]

    def _is_about_a_place(self, cue: Match) -> bool:
        """ "runs on", "fits in": what follows is where it runs, not what is asked for."""
        return self.reading.tokens[cue.end - 1].text in ("on", "in", "within") and cue.end - cue.start > 1

    def _choices(self) -> Iterator[Match]:
        is_about_some = bool(self.statement.topics) or self.statement.names_rank
        if self.yes_no is not None and is_about_some and not self.reading.has("model_noun"):
            return
        for choose in self.reading.all("choose"):
            if self.statement.names_rank and self.reading.tokens[choose.start].text in ("is", "are"):
                continue  # "is there a catch with the first one?"
            is_how_to = self.reading.before(choose.start, "how", 4) is not None
            is_about_other = any(
                other.end <= choose.start and self.reading.same_clause(other.end, choose.start)
                for other in self._asks_for_other_things
            )
            if is_about_other or (is_how_to and len(set(self.fields) - _TECHNIQUES) < 2):
                continue
            if (
                self._noun_after(choose.end, 4) != "other_noun"
                and not self._technique_after(choose)
                and self._has_subject
            ):
                yield choose

    @cached_property
    def _has_subject(self) -> bool:
        """There is something that a model could be chosen for, or a model word at all."""
        return self.reading.has("model_noun") or self.names_models or bool(set(self.fields) - _TECHNIQUES)

    def _superlatives(self) -> Iterator[Match]:
        for best in [*self.reading.all("superlative"), *self.reading.stated("priority")]:
            has_model = self._noun_after(best.end, 7) == "model_noun"
            asks = self.reading.before(best.start, "define", 2) is not None
            if (has_model and not self.reading.before(best.start, "how", 4)) or (
                asks and self._asks_for_use(best)
            ):
                yield best

    def _asks_for_use(self, best: Match) -> bool:
        return self._noun_after(best.end, 4) != "other_noun" and "task" in self.fields

    def _technique_after(self, choose: Match) -> bool:
        near = [self.reading.after(choose.end, category, 2) for category in ("quantization", "finetune")]
        domain = self.reading.after(choose.end, "domain", 0)
        return any(near) or (domain is not None and self._noun_after(domain.start, 3) is None)

    def _noun_after(self, position: int, reach: int) -> str | None:
        """Which kind of noun comes first: a model, or something else that one can ask for."""
        near = [
            match
            for category in ("model_noun", "other_noun")
            if (match := self.reading.after(position, category, reach)) is not None
        ]
        return min(near, key=lambda match: (match.start, match.category)).category if near else None
