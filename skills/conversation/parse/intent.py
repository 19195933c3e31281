"""Choose the skill that a turn asks for.

The rules are tried in order and the first that holds decides. Each is a claim about the turn that can be read
aloud; what counts as a cue is in the lexicons. The last ones hold for lack of a better claim: there, how the turn
sounds may say otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from skills.conversation.parse.acts import first_act, is_act
from skills.conversation.parse.asked import asks_of_the_past, fact_matches, opens_question, recalled
from skills.conversation.parse.lexicon import words
from skills.conversation.parse.likeness import heard
from skills.conversation.parse.periods import names_period
from skills.conversation.parse.phrases import Match
from skills.conversation.parse.signals import Signals
from skills.conversation.request import SkillName

_JOB_SKILLS = ("evaluate", "finetune", "jobs")
_TECHNIQUES = frozenset({"finetune", "quantization"})
_OF_THE_WORK = _TECHNIQUES | {"task", "modalities", "reasoning", "architecture", "priority", "hosting"}
_SHORT = 4
_VERY_SHORT = 2
_LONG = 9
_CLEARLY = 0.7
"""Probability from which the sound of a turn is believed over a late rule; chosen on 260 turns not learnt from."""
_ALMOST_SURELY = 0.9
"""The same, over a late rule that has more to go by."""
_COMPARED = frozenset({"memory", "price", "scores"})
"""Facts that a comparison of models shows; of others, and of one benchmark, the figures themselves are asked for."""


def choose_skill(signals: Signals) -> SkillName:
    """The skill of the first rule that holds, unless it is a late one and the turn sounds clearly like another."""
    for skill, holds in _RULES:
        if holds(signals):
            return skill
    skill = next(skill for skill, holds in _LATE_RULES if holds(signals))
    return _sounds_like(signals, _ALMOST_SURELY if _is_sure(signals, skill) else _CLEARLY) or skill


def _is_sure(s: Signals, skill: SkillName) -> bool:
    """A change that a thread's turn states without asking, and a question about work with no limit on a model."""
    is_change = s.previous is not None and (bool(s.fields) or s.reading.has("more"))
    is_stated = is_change and not s.is_question and not s.asks_knowledge
    return (skill == "recommend" and is_stated) or (skill == "answer" and bool(s.fields) and not s.has_limits)


def _sounds_like(s: Signals, threshold: float) -> SkillName | None:
    """What the turn is like among those that people put. A choice and its follow-ups need something to rest on, and
    who states what must hold is not sent away."""
    skill, probability = heard().skill_of([token.text for token in s.reading.tokens])
    rests_on_something = bool(s.fields) or s.names_models or _has_thread(s)
    if probability <= threshold or (skill in ("recommend", "compare", "explain") and not rests_on_something):
        return None
    return None if skill in ("decline", "help") and s.has_limits else skill


def _is_blank(s: Signals) -> bool:
    return s.reading.text.is_blank


def _is_foreign(s: Signals) -> bool:
    return s.reading.text.is_foreign and not set(s.fields) - {"languages"} and not s.names_models


def _is_hostile(s: Signals) -> bool:
    """Orders to break the rules, or a wish for what is not theirs."""
    if s.reading.has("injection", "hard"):
        return True
    return s.reading.has_any("injection", "secret") and s.asks_choice is None and not s.has_limits


def _is_about_jobs(s: Signals) -> bool:
    if s.asks_choice is not None and not s.reading.has("jobs_direct"):
        return False
    return s.reading.has("jobs_direct") or _has_job_words(s) or _continues_job(s)


def _has_job_words(s: Signals) -> bool:
    """A job and what one asks or orders of it."""
    r = s.reading
    is_job = r.has("jobs_noun", "noun")
    if s.statement.job_id is not None and (is_job or r.has("jobs_cue") or s.n_words <= _SHORT):
        return True
    if is_job and (r.has("jobs_cue") or s.n_words <= _VERY_SHORT) and "task" not in s.fields:
        return True
    strong = [*r.all("jobs_cue", "status"), *r.all("jobs_cue", "cancel")]
    softs = len(r.all("jobs_cue", "soft"))
    works = r.all("jobs_noun", "work")
    is_near = any(abs(cue.start - work.start) <= 6 for cue in strong for work in works)
    return bool(works) and not r.has("how_much") and (is_near or (softs >= 2 and not s.model_targets))


def _continues_job(s: Signals) -> bool:
    """ "is it done yet?" and "cancel" after a job was started; "cancel" alone at any time."""
    r = s.reading
    has_order = r.has("jobs_cue", "cancel") and not s.statement.relaxed
    if has_order and s.n_words <= _VERY_SHORT:
        return True
    if r.has("jobs_cue", "status") and r.has("pronoun") and s.n_words <= _SHORT and not s.fields:
        return True
    if s.previous is None or s.previous.skill not in _JOB_SKILLS or s.fields:
        return False
    return has_order or r.has("jobs_cue", "status") or len(r.all("jobs_cue", "soft")) >= 2


def _hesitates(s: Signals) -> bool:
    """ "Hmm", "嗯…": nothing is said yet."""
    r = s.reading
    covered = {i for match in r.all("hesitation") for i in range(match.start, match.end)}
    small = words("text", "fillers")
    said = [i for i, token in enumerate(r.tokens) if token.text.isalnum() and token.text not in small]
    return bool(covered) and all(i in covered for i in said)


def _points_at_nothing(s: Signals) -> bool:
    """ "That one", "那个呢", "the second one?" of nothing shown: what is meant must be asked."""
    r = s.reading
    has_pointer = s.statement.names_rank or r.has("pronoun")
    is_small = s.n_words <= _SHORT and not r.has_any("off_topic", "chore", "secret", "injection")
    return has_pointer and is_small and not s.statement.ranks and not (s.fields or s.names_models)


def _is_restart(s: Signals) -> bool:
    """ "Reset everything": nothing but the wish to begin anew."""
    return s.reading.has("reset") and not s.fields and not s.names_models and s.asks_choice is None


def _is_help(s: Signals) -> bool:
    stated = set(s.fields) - ({"task"} if s.statement.task_is_hinted else set())
    if stated or s.names_models or s.asks_choice is not None or s.reading.has("explain_result"):
        return False
    cues = s.reading.all("help")
    is_clear = any(cue.end - cue.start >= 2 or _fills_clause(s, cue) for cue in cues)
    is_clear = (is_clear and s.n_words <= _LONG) or bool(cues and s.n_words <= _SHORT)
    return is_clear or _is_greeting(s)


def _fills_clause(s: Signals, cue: Match) -> bool:
    """ "No idea how this works, help": a clause that says nothing else."""
    return s.reading.clause(cue.start, cue.end) == (cue.start, cue.end)


def _is_greeting(s: Signals) -> bool:
    """Nothing but a greeting or thanks."""
    greeted = {i for match in s.reading.all("greeting") for i in range(match.start, match.end)}
    words = [i for i, token in enumerate(s.reading.tokens) if token.is_word or token.is_han]
    return bool(greeted) and len([i for i in words if i not in greeted]) <= 2 and not s.statement.relaxed


def _starts_tuning(s: Signals) -> bool:
    return first_act(s) == "finetune"


def _starts_evaluation(s: Signals) -> bool:
    return first_act(s) == "evaluate"


def _asks_what_was_measured(s: Signals) -> bool:
    """ "what did we measure last week?": figures of past jobs, not the progress of one, nor a new one."""
    r = s.reading
    is_about_job = s.statement.job_id is not None or r.has("jobs_noun", "noun") or r.has("jobs_cue", "cancel")
    if is_about_job or r.has("jobs_cue", "status"):
        return False
    found = recalled(s.statement)
    return (bool(found) and not _orders_job(s, found)) or _continues_measured(s)


def _continues_measured(s: Signals) -> bool:
    """ "and this month?" after what was measured last month."""
    if s.previous is None or s.previous.skill != "answer" or s.fields or s.n_words > _SHORT + 1:
        return False
    return names_period(s.reading.tokens) and asks_of_the_past(s.previous.turn.text)


def _asks_for_facts(s: Signals) -> bool:
    """ "context length of Qwen3-8B and Qwen3-4B", "can phi-4 read images": facts of models that are named."""
    r = s.reading
    found = fact_matches(r.tokens)
    is_asked = s.asks_knowledge or s.is_question or r.has("how_much") or opens_question(r.tokens)
    names_some = s.names_models or (bool(s.statement.ranks) and is_asked)
    choice = s.asks_choice
    is_choice = choice is not None and not any(match.covers(choice.start) for match in found)
    if not found or not names_some or is_choice or s.statement.dataset is not None:
        return False
    if r.has_any("what_if", "refine", "add", "why") or s.takes_back or _orders_job(s, found):
        return False
    if _wonders_at_rank(s):
        return False
    if r.has("compare") and all(m.value in _COMPARED and m.category != "names" for m in found):
        return False
    is_plain = not s.has_limits and "task" not in s.fields
    return is_plain or is_asked


def _orders_job(s: Signals, found: Sequence[Match]) -> bool:
    """An order to evaluate or tune beside the words found: "we tested phi-4, now evaluate gemma on tickets"."""
    verbs = [verb for kind in ("finetune", "evaluate") for verb in s.reading.all(kind, "verb")]
    return any(is_act(s, verb) for verb in verbs if not any(match.covers(verb.start) for match in found))


def _asks_reasons(s: Signals) -> bool:
    """Why the last answer is what it is."""
    r = s.reading
    is_about_answer = s.names_models or s.points_back or bool(s.statement.rejected)
    if r.has("explain_result") and (s.previous is not None or s.shown):
        return True
    if _wonders_at_rank(s):
        return True
    if r.has("why"):
        is_short = s.n_words <= _SHORT + 1
        addresses_us = any(token.text in ("you", "your", "你", "您") for token in r.tokens)
        is_plain = s.n_words <= _SHORT and not (s.fields or r.has("domain") or s.names_models)
        if s.previous is not None and (is_plain or (addresses_us and r.has("why_pick"))):
            return True
        return is_about_answer and (r.has("why_pick") or is_short)
    if (
        any(r.gap(m.start, m.end).startswith(("explain", "解 释")) for m in r.all("define"))
        and s.statement.names_rank
    ):
        return True
    is_about_some = s.names_models and bool(s.shown) and not s.statement.ranks
    return is_about_some and _says_what_about(s) and not s.fields


def _wonders_at_rank(s: Signals) -> bool:
    """ "第三个怎么排这么靠后", "how did the second end up so low"."""
    r = s.reading
    is_about_one = s.names_models or s.statement.names_rank
    asks_how = r.has("how") or any(r.gap(cue.start, cue.end).startswith("how") for cue in r.all("jobs_cue"))
    return is_about_one and asks_how and r.has("rank_wonder") and not r.has("model_noun")


def _says_what_about(s: Signals) -> bool:
    heard = {s.reading.gap(match.start, match.end) for match in s.reading.all("what_if")}
    return bool(heard & {"what about", "how about", "and", "呢"}) and s.n_words <= 2 * _SHORT


def _is_comparison(s: Signals) -> bool:
    r = s.reading
    if _narrows_choice(s):
        return False
    subjects = len(s.statement.mentions) + len(s.statement.ranks)
    if s.statement.names_rank and not s.statement.ranks:
        subjects += 1
    if subjects == 1 and r.has("pronoun") and s.pointed_at:
        subjects += 1
    if r.has("compare") and (subjects >= 2 or (s.pointed_at and r.has("pronoun", "them"))):
        return True
    if subjects == 1 and s.shown and _measures_against(s):
        return True
    if len(s.statement.ranks) >= 2 and r.has("which") and not r.has("explain_result", "excluded"):
        return True
    links = {r.gap(match.start, match.end) for match in r.all("compare_weak")}
    is_alternative = not links.isdisjoint(
        {"or", "than", "还 是", "或", "比", "over", "rather than", "instead of"}
    )
    is_choice = not s.asks_knowledge or r.has_any("which", "choose")
    names_several = len(s.statement.mentions) >= 2 and is_choice
    is_amount = r.has("how_much") and len(s.statement.ranks) < 2
    return subjects >= 2 and (is_alternative or names_several) and not is_amount


def _narrows_choice(s: Signals) -> bool:
    """ "The candidates are phi-4 and Qwen3-8B, for QA on a T4": a choice, among few."""
    is_choice = s.reading.has("choose") or ("task" in s.fields and s.has_limits)
    return is_choice and s.reading.has("narrows") and not s.reading.has("compare")


def _measures_against(s: Signals) -> bool:
    """ "How does Gemma 3 12B compare?", "跟 Gemma 3 12B 比怎么样": one is named, the other is what was shown."""
    if not s.statement.mentions or s.asks_choice is not None:
        return False
    names = s.reading.all("name")
    is_with = any(
        s.reading.before(name.start, "together", 0) and s.reading.gap(name.end, name.end + 1) == "比"
        for name in names
    )
    return is_with or (s.reading.has("compare") and not s.fields)


def _is_off_topic(s: Signals) -> bool:
    """Something else altogether, or work for a chat bot rather than a choice of one."""
    r = s.reading
    if _is_chore(s) and not (r.has("model_noun") or s.names_models) and not s.has_limits:
        return True
    return r.has("off_topic") and not s.is_ours and not _is_work_for_a_model(s)


def _is_work_for_a_model(s: Signals) -> bool:
    """ "A bot that books flights": a topic that is not ours, and a model wanted for it."""
    is_wanted = s.asks_choice is not None or len(s.fields) > 1 or s.reading.has("task_hint")
    return "task" in s.fields and is_wanted


def _is_chore(s: Signals) -> bool:
    """Work for a chat bot, ordered: "write code for me", not "something to write code with"."""
    r = s.reading
    return any(
        r.tokens[chore.start].is_han or s.starts_clause(chore.start) or s.order_before(chore.start)
        for chore in r.all("chore")
    ) or _is_written_for_them(s)


def _is_written_for_them(s: Signals) -> bool:
    """ "Write a resignation letter for me", "draft me a toast"."""
    r = s.reading
    for verb in r.all("makes"):
        _, end = r.clause(verb.start, verb.end)
        said = f" {r.gap(verb.end, end)} "
        if s.starts_clause(verb.start) and (" for me " in said or said.startswith((" me ", " us a "))):
            return True
    return False


def _is_knowledge(s: Signals) -> bool:
    if not s.asks_knowledge or s.asks_choice is not None or _is_follow_up_wish(s):
        return False
    if s.previous is not None and _adopts(s):
        return False
    if asks_whether_some_model_does(s):
        return False
    if _asks_how_to_choose(s):
        return False
    wants_how = s.reading.has("how") and not s.reading.has_any("evaluate", "finetune", "how_much", "define")
    if wants_how and "task" in s.fields and s.has_limits and not s.names_models:
        return False
    is_about_shown = bool(s.statement.ranks) or (
        s.points_back and (bool(s.fields) or s.reading.has("field_word"))
    )
    is_about_licences = set(s.fields) == {"licences"} and (s.is_question or s.reading.has("define"))
    asks_how_much = s.reading.has("how_much") and s.reading.has("finetune")
    is_about_work = "task" in s.fields and (
        s.reading.has_any("define", "how") or asks_how_much or _asks_about_work(s)
    )
    return s.is_ours or is_about_shown or is_about_work or is_about_licences


def _asks_about_work(s: Signals) -> bool:
    """ "Why do assistants drift?", "Should an agent ask before it pays?": of the work itself, with no limit on a model."""
    r = s.reading
    if set(s.fields) - _OF_THE_WORK or s.previous is not None or r.has_any("model_noun", "order"):
        return False
    opens = s.yes_no is not None and r.tokens[s.yes_no.start].is_word and not r.has("address_us")
    return opens or r.has_any("why", "how_much")


def _asks_how_to_choose(s: Signals) -> bool:
    """ "本地跑翻译，咋选": how to choose, of what one has said what it is for."""
    return s.reading.has("how_to_choose") and "task" in s.fields and len(s.fields) > 1


def asks_whether_some_model_does(s: Signals) -> bool:
    """ "I have a 3070, can it do German chat?": a task and a machine, and no model named, ask for one."""
    is_asked = s.yes_no is not None and not s.reading.has_any("define", "how", "how_much", "why")
    has_machine = not {"gpus", "max_memory_gib"}.isdisjoint(s.fields) and "task" in s.fields
    return (
        is_asked and has_machine and not s.names_models and not s.points_back and not s.reading.has("domain")
    )


def _is_follow_up_wish(s: Signals) -> bool:
    """ "what if we only have 16 GB?", "French too?": a question in form, a changed request in fact."""
    r = s.reading
    is_asked = r.has_any("define", "how", "how_much", "why") or (s.yes_no is not None and r.has("how_much"))
    is_change = bool(s.fields or s.relative or s.statement.relaxed or s.takes_back)
    if r.has("asks_of_it") and s.pointed_at:
        return False
    if s.statement.relaxed and s.previous is not None and not is_asked:
        return True
    has_cue = r.has_any("what_if", "refine", "add") and (s.previous is not None or s.yes_no is None)
    has_cue = has_cue or bool(s.relative)
    return is_change and has_cue and not is_asked and not s.weighs_techniques


def _is_wish(s: Signals) -> bool:
    """A model is asked for, or a limit is stated that narrows the choice."""
    if s.asks_choice is not None:
        return bool(s.fields or s.names_models or _has_thread(s) or s.takes_back)
    if s.previous is not None:
        is_change = bool(s.fields or s.relative or s.statement.relaxed or s.takes_back)
        return is_change or _asks_once_more(s) or _adopts(s) or s.reading.has_any("more", "resize")
    is_enough = s.has_limits or "task" in s.fields
    return is_enough or (bool(s.fields) and s.is_ours)


def _asks_once_more(s: Signals) -> bool:
    """ "In that case, which one?", 那选哪个: the question of the thread again."""
    r = s.reading
    if s.n_words > _SHORT + 2 or r.has_any("off_topic", "compare") or s.statement.names_rank:
        return False
    asked = [r.gap(match.start, match.end + 1) for match in r.all("which")]
    return any(said in ("which one", "which ones") or said.startswith("哪 个") for said in asked)


def _adopts(s: Signals) -> bool:
    """ "use phi-4 then", "那用 Qwen3-8B 吧": a model named by the person takes the place of what was shown."""
    names = s.reading.all("name")
    cues = [
        cue
        for name in names
        if (cue := s.reading.before(name.start, "adopt", 1))
        or (cue := s.reading.before(name.start, "instead_of", 0))
    ]
    if any(cue.category == "instead_of" for cue in cues):
        return True
    return any(s.starts_clause(cue.start) for cue in cues) and not s.is_question and not s.asks_knowledge


def _has_thread(s: Signals) -> bool:
    return s.previous is not None and s.previous.requirements != type(s.previous.requirements)()


def _names_a_model(s: Signals) -> bool:
    return s.names_models or bool(s.statement.ranks)


def _speaks_of_the_trade(s: Signals) -> bool:
    """ "GPTQ and AWQ", "KV cache 公式", "what of speculative decoding": looked up, as nothing is wanted of it."""
    r = s.reading
    is_choice = s.asks_choice is not None or r.has_any("choose", "reset", "more")
    is_wish = bool(set(s.fields) - _TECHNIQUES) or _has_thread(s)
    is_ours = r.has("domain", "strong") or (r.has("finetune") and set(s.fields) == {"finetune"})
    return is_ours and not is_choice and not is_wish and not r.has("off_topic")


def _is_on_topic(s: Signals) -> bool:
    return (
        s.is_ours
        or s.asks_choice is not None
        or s.reading.has_any("reset", "more", "choose", "gpu")
        or (s.reading.has("which") and s.n_words <= _VERY_SHORT)
        or s.statement.dataset is not None
    )


def _always(_: Signals) -> bool:
    return True


_RULES: tuple[tuple[SkillName, Callable[[Signals], bool]], ...] = (
    ("clarify", _is_blank),
    ("help", _is_foreign),
    ("clarify", _hesitates),
    ("decline", _is_hostile),
    ("answer", _asks_what_was_measured),
    ("jobs", _is_about_jobs),
    ("help", _is_help),
    ("clarify", _is_restart),
    ("answer", _asks_for_facts),
    ("finetune", _starts_tuning),
    ("evaluate", _starts_evaluation),
    ("explain", _asks_reasons),
    ("compare", _is_comparison),
    ("decline", _is_off_topic),
)
_LATE_RULES: tuple[tuple[SkillName, Callable[[Signals], bool]], ...] = (
    ("answer", _is_knowledge),
    ("answer", _speaks_of_the_trade),
    ("recommend", _is_wish),
    ("answer", _names_a_model),
    ("clarify", _points_at_nothing),
    ("clarify", _is_on_topic),
    ("decline", _always),
)
