"""Meanings that take two phrases together: "quality is what counts", "no Llama or Gemma licences"."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from skills.conversation.parse.changes import besides, given_up, parted_with, welcomed
from skills.conversation.parse.lexicon import load, words
from skills.conversation.parse.numbers import number_at
from skills.conversation.parse.phrases import Match
from skills.conversation.parse.reading import Reading, read_turn
from skills.conversation.parse.sorting import sorted_texts

_WEIGHED_WITHIN = 2
_DENIED_WITHIN = 5
_ALLOWED_WITHIN = 3
_LEFT_OUT_WITHIN = 4
_MADE_WITHIN = 3
_DONE_WITHIN = 8
_RENDERED_WITHIN = 10
_LOOKED_WITHIN = 6
_MOST_MORE = 20
_CONCEDED_WITHIN = 5
_ASKED_WITHIN = 4
_OWNED_WITHIN = 4
_MAKERS_WITHIN = 6
_NOTHING = frozenset({"nothing", "none", "no data", "no"})
_WISHES = frozenset({"hosting", "language", "licence", "task", "priority", "modality", "quantization"})


def read_message(raw: str) -> Reading:
    """Normalise, mend and look up one message, and put together what its phrases mean."""
    return _composed(_changed(read_turn(raw)))


def _changed(reading: Reading) -> Reading:
    """The reading with what is swapped, allowed again or wanted beside something read as such."""
    allowed = list(welcomed(reading))
    gone = {id(match) for match, _ in allowed} | {id(match) for match in besides(reading)}
    said = {at for match, _ in allowed for at in range(match.start, match.end)}
    hidden = ("language", "task")
    polish = list(_polish(reading))
    gone |= {id(m) for m in reading.matches for named in polish if m.start == named.start}
    kept = [
        m for m in reading.matches if id(m) not in gone and not (m.category in hidden and m.start in said)
    ]
    welcomes = (Match(f"welcome_{field}", match.value, match.start, match.end) for match, field in allowed)
    added = (Match("add", "besides", m.start, m.end) for m in besides(reading))
    changes = (*given_up(reading), *parted_with(reading))
    return replace(reading, matches=(*kept, *polish, *welcomes, *added, *changes))


def _polish(reading: Reading) -> Iterator[Match]:
    """ "Polish emails" are to be polished at the head of a sentence with no other task in it, and else in Polish."""
    for verb in reading.all("not_a_language", "verb"):
        first = reading.tokens[verb.start]
        is_name = first.text == "polish" and reading.text.cased[first.start].isupper()
        start, _ = reading.clause(verb.start, verb.end)
        has_task = any(m.start > verb.start for category in ("task", "sorts") for m in reading.all(category))
        if is_name and (verb.start > start or has_task):
            yield Match("language", "pl", verb.start, verb.start + 1)


def _composed(reading: Reading) -> Reading:
    composed = (
        *_denied_licences(reading),
        *_weighed(reading),
        *_guarded(reading),
        *_left_out(reading),
        *_thrown_out(reading),
        *_makers(reading),
        *_made(reading),
        *_done(reading),
        *_rendered(reading),
        *_looked_up(reading),
        *_pulled_out(reading),
        *_sorted_by(reading),
        *_told_apart(reading),
        *sorted_texts(reading),
        *_more_of_them(reading),
        *_free_of(reading),
        *_without_gpus(reading),
    )
    said = (m for m in reading.matches if not _is_conceded(reading, m) and not _is_ordered(reading, m))
    kept = [m for m in said if not _was_assumed(reading, m)]
    matches = [_allowed(reading, match) for match in kept if not _is_dismissed(reading, match)]
    return replace(reading, matches=(*matches, *composed))


def _denied_licences(reading: Reading) -> Iterator[Match]:
    """In "no Llama or Gemma licences" both are licences, not models: the word belongs to the whole list."""
    tokens = reading.tokens
    named = {m.start for category in ("licence", "licence_word") for m in reading.all(category)}
    joints = words("text", "list_joints") | words("text", "fillers") | words("text", "before_licence")
    for owner in reversed(reading.all("licence_owner")):
        after = owner.end
        while after < len(tokens) and after not in named and tokens[after].text in joints:
            after += 1
        if after in named and reading.is_negated(owner.start):
            named.add(owner.start)
            yield Match("licence", owner.value, owner.start, owner.end)


def _weighed(reading: Reading) -> Iterator[Match]:
    """ "Quality is what counts", "最看重速度": a priority; money that is no object is one for quality."""
    for aspect in reading.all("aspect"):
        if _outweighs(reading, aspect):
            yield Match("priority", aspect.value, aspect.start, aspect.end)
            continue
        after = reading.after(aspect.end, "weighs", _WEIGHED_WITHIN)
        before = reading.before(aspect.start, "weighs", _WEIGHED_WITHIN)
        if after is not None and after.value == "after":
            yield Match("priority", aspect.value, aspect.start, after.end)
        elif after is not None and after.value == "free" and aspect.value == "cost":
            yield Match("priority", "quality", aspect.start, after.end)
            yield Match("spared", "cost", aspect.start, after.end)
        elif before is not None and before.value == "before":
            yield Match("priority", aspect.value, before.start, aspect.end)
    for costs in reading.all("what_it_costs"):
        spares = reading.before(costs.start, "spares", _WEIGHED_WITHIN)
        if spares is not None:
            yield Match("priority", "quality", spares.start, costs.end)
            yield Match("spared", "cost", spares.start, costs.end)


def _outweighs(reading: Reading, aspect: Match) -> bool:
    """ "Speed over quality", "速度比质量重要"."""
    over = reading.after(aspect.end, "outweighs", 1)
    other = reading.after(over.end, "aspect", 1) if over is not None else None
    if over is None or other is None:
        return False
    return over.value == "alone" or reading.after(other.end, "weighs", 1) is not None


def _guarded(reading: Reading) -> Iterator[Match]:
    """ "数据绝对不能出医院": what must not get out runs on their own hardware."""
    for leaving in reading.all("leaves"):
        thing = reading.before(leaving.start, "guarded", _DENIED_WITHIN + 2)
        denial = reading.before(leaving.start, "negation", _DENIED_WITHIN)
        is_nothing = denial is not None and reading.gap(denial.start, denial.end) in _NOTHING
        if denial is not None and (is_nothing or (thing is not None and thing.end <= denial.start)):
            yield Match("hosting", "self", denial.start, leaving.end)


def _left_out(reading: Reading) -> Iterator[Match]:
    """ "Leave Qwen out of it": the verb denies what stands between its parts."""
    for verb in reading.all("leave"):
        particle = reading.after(verb.end, "out", _LEFT_OUT_WITHIN)
        if particle is None or particle.start == verb.end:
            continue
        joints = words("text", "list_joints")
        between = [i for i in range(verb.end, particle.start) if reading.tokens[i].text in joints]
        for at in (verb.start, *between):
            yield Match("negation", "not", at, at + 1)


def _thrown_out(reading: Reading) -> Iterator[Match]:
    """ "Which ones got thrown out?" asks for what was excluded."""
    for verb in reading.all("thrown_out"):
        if reading.near(verb.start, verb.end, "which", _ASKED_WITHIN):
            yield Match("explain_result", "excluded", verb.start, verb.end)


def _makers(reading: Reading) -> Iterator[Match]:
    """ "The ones from Mistral": after such words the name of a family is that of its maker."""
    for name in reading.all("maker_name"):
        tail = reading.after(name.end, "maker_tail", _MAKERS_WITHIN)
        if reading.before(name.start, "maker_lead", 0) or (
            tail and reading.gap(tail.start, tail.end)[:1] == "这"
        ):
            yield Match("vendor", name.value, name.start, name.end)


def _made(reading: Reading) -> Iterator[Match]:
    """ "Writes short stories": the task is what is made."""
    for thing in reading.all("made"):
        if reading.before(thing.start, "makes", _MADE_WITHIN) is not None:
            yield Match("task", thing.value, thing.start, thing.end)


def _done(reading: Reading) -> Iterator[Match]:
    """ "Pull the IBANs out", "按部门分一下": what is done to what suggests a task. Chinese may put the verb last."""
    for does, what in load("tasks")["done"]:
        for thing in reading.all(what):
            if any(_does_to(reading, verb, thing) for verb in reading.stated(does)):
                category = "task" if reading.has("task", "question-answering") else "task_hint"
                yield Match(category, thing.value, thing.start, thing.end)


def _does_to(reading: Reading, verb: Match, thing: Match) -> bool:
    if verb.start < thing.start:
        is_near = thing.start - verb.end <= _DONE_WITHIN
        return is_near and reading.same_clause(verb.start, thing.start)
    is_chinese = reading.tokens[thing.start].is_han
    is_near = 0 <= verb.start - thing.end <= _DONE_WITHIN
    return is_chinese and is_near and reading.same_clause(thing.end, verb.start)


def _looked_up(reading: Reading) -> Iterator[Match]:
    """ "Answers our staff's questions from 3,000 pages of policies": asked of documents."""
    for documents in reading.all("documents"):
        place = reading.before(documents.start, "looked_in", _LOOKED_WITHIN)
        if place is not None and _is_asked_before(reading, place):
            category = "task" if reading.has("task", "question-answering") else "task_hint"
            yield Match(category, "rag", place.start, documents.end)


def _is_asked_before(reading: Reading, place: Match) -> bool:
    answering = (m for m in reading.all("task", "question-answering") if m.end <= place.start)
    is_answered = any(place.start - match.end <= _DONE_WITHIN for match in answering)
    return is_answered or reading.before(place.start, "asks", _DONE_WITHIN) is not None


def _pulled_out(reading: Reading) -> Iterator[Match]:
    """ "Pull diagnosis codes out of discharge letters": whatever is taken out of texts."""
    for verb in reading.stated("takes_out"):
        end = min(verb.end + _DONE_WITHIN, len(reading.tokens))
        for at in range(verb.end + 1, end):
            is_out_of = reading.gap(at, at + 2) == "out of" and reading.same_clause(verb.end, at)
            if is_out_of and reading.tokens[at - 1].text not in ("most", "best", "more"):
                yield Match("task_hint", "extraction", verb.start, at + 2)


def _sorted_by(reading: Reading) -> Iterator[Match]:
    """ "Sort complaints by product"."""
    for verb in reading.stated("sorts"):
        following = reading.tokens[verb.end : verb.end + _LOOKED_WITHIN]
        by = next((i for i, token in enumerate(following) if token.text == "by"), 0)
        if by and reading.same_clause(verb.end, verb.end + by):
            yield Match("task_hint", "classification", verb.start, verb.end + by)


def _told_apart(reading: Reading) -> Iterator[Match]:
    """ "Tell positive from negative tweets", "tell spam and ham apart"."""
    for verb in reading.stated("tells_apart"):
        following = [token.text for token in reading.tokens[verb.end : verb.end + _LOOKED_WITHIN]]
        joint = next((i for i, text in enumerate(following) if text in ("from", "apart", "between")), None)
        is_said_to = following[:1] and following[0] in words("text", "listeners")
        if joint is not None and not is_said_to and reading.same_clause(verb.end, verb.end + joint):
            yield Match("task", "classification", verb.start, verb.end + joint + 1)


def _more_of_them(reading: Reading) -> Iterator[Match]:
    """ "Show me two more", 再列两个."""
    tokens = reading.tokens
    for at, token in enumerate(tokens):
        following = tokens[at + 1].text if at + 1 < len(tokens) else ""
        if token.text == "more" and at and following in words("text", "after_more"):
            number = number_at(tokens, at - 1)
            if number is not None and number.end == at and number.value < _MOST_MORE:
                yield Match("more", "more", at - 1, at + 1)
        if token.text == "再" and following in words("text", "shows"):
            start = at + 3 if reading.gap(at + 1, at + 3) == "推 荐" else at + 2
            number = number_at(tokens, start) if start < len(tokens) else None
            if number is not None and reading.gap(number.end, number.end + 1) in ("个", "款", "种"):
                yield Match("more", "more", at, number.end + 1)


def _rendered(reading: Reading) -> Iterator[Match]:
    """ "Put our Spanish manuals into English", "from Korean to Thai", "把说明书变成中文": a translation."""
    languages = reading.stated("language")
    for target in languages:
        lead = reading.before(target.start, "into_language", 0)
        if lead is None:
            continue
        sources = [m for m in languages if m.value != target.value and m.end <= lead.start]
        is_named = any(lead.start - m.end <= _RENDERED_WITHIN for m in sources)
        is_turned = lead.value == "turned" or reading.before(lead.start, "renders", _RENDERED_WITHIN)
        if is_turned or (is_named and lead.value == "to"):
            yield Match("task_hint", "translation", lead.start, target.end)


def _free_of(reading: Reading) -> Iterator[Match]:
    """ "GPL-free": what stands before it is not wanted."""
    for category in ("licence", "vendor", "gpu"):
        for match in reading.all(category):
            if reading.gap(match.end, match.end + 2) == "- free":
                yield Match("given_up", "free", match.start, match.end)


def _without_gpus(reading: Reading) -> Iterator[Match]:
    """ "Without any graphics card", "一张显卡都没有" by its shape: the processor is what there is."""
    for word in reading.all("gpu_word"):
        negation = reading.before(word.start, "negation", _OWNED_WITHIN)
        if negation is None or reading.gap(negation.start, negation.end) not in words("text", "lacks"):
            continue
        between = reading.tokens[negation.end : word.end - 1]
        is_limit = reading.after(word.end, "limit_word", 0) or reading.after(word.end, "unit", 1)
        if all(token.text in words("text", "of_any_kind") for token in between) and not is_limit:
            yield Match("gpu", "CPU", negation.start, word.end)


def _is_conceded(reading: Reading, match: Match) -> bool:
    """ "什么许可证都可以", "多贵都行" ask nothing."""
    if match.category not in ("which", "how_much", "define"):
        return False
    following = reading.tokens[match.end - 1 : match.end + _CONCEDED_WITHIN]
    is_asked = (
        not any(token.text == "都" for token in following) or reading.gap(match.start, match.end) == "都"
    )
    return not is_asked and any(m.start >= match.start for m in reading.all("relax"))


def _is_ordered(reading: Reading, match: Match) -> bool:
    """ "Leave out Alibaba" does not ask what was left out."""
    if match.category not in ("explain_result", "why_pick") or reading.has_any("which", "why", "how"):
        return False
    denials = [(m.start, m.end) for m in reading.all("negation")]
    start, _ = reading.clause(match.start, match.end)
    is_first = start == match.start and (match.start, match.end) in denials
    return is_first and any(reading.at(match.end, category) for category in ("vendor", "name", "licence"))


def _is_dismissed(reading: Reading, match: Match) -> bool:
    """ "便宜不重要了", "don't care about speed": a priority that is one no more."""
    if match.category == "priority" and any(r.start < match.start < r.end for r in reading.all("relax")):
        return True
    after = reading.after(match.end, "weighs", 1) if match.category == "priority" else None
    return after is not None and after.value == "free"


def _was_assumed(reading: Reading, match: Match) -> bool:
    """ "You assumed we host it ourselves": said of our answer, not of what they want."""
    return (
        match.category in _WISHES and reading.before(match.start, "assumed", len(reading.tokens)) is not None
    )


def _allowed(reading: Reading, match: Match) -> Match:
    """ "Hosted is ok", "self-hosting would be ok as well": allowed, not asked for."""
    if (match.category, match.value) == ("hosting", "self"):
        _, end = reading.clause(match.start, match.end)
        said = {token.text for token in reading.tokens[match.end : min(end, match.end + _CONCEDED_WITHIN)]}
        is_one_more = said & words("text", "allowances") and said & {"too", "well", "also", "也"}
        return replace(match, value="any") if is_one_more and not reading.is_negated(match.start) else match
    if (match.category, match.value) != ("hosting", "api"):
        return match
    may = reading.before(match.start, "may", 1)
    between = reading.tokens[max(may.start - 1, 0) : match.end] if may else ()
    if (
        may
        and not reading.is_negated(match.start)
        and not any(t.text in words("text", "strict") for t in between)
    ):
        return replace(match, value="any")
    reach = range(match.end, min(match.end + _ALLOWED_WITHIN, len(reading.tokens)))
    following = [reading.tokens[at].text for at in reach if reading.same_clause(match.end, at)]
    following = following[: following.index("and")] if "and" in following else following
    is_allowed = any(text in words("text", "allowances") for text in following)
    return replace(match, value="any") if is_allowed else match
