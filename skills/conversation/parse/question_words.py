"""Whether a turn asks to know something: facts of models, reasons for an answer, models side by side, the trade."""

from __future__ import annotations

from skills.conversation.parse.asked import fact_matches, opens_question
from skills.conversation.parse.job_words import orders_job
from skills.conversation.parse.signals import Signals
from skills.conversation.parse.wish_words import adopts, has_thread, is_follow_up_wish

_TECHNIQUES = frozenset({"finetune", "quantization"})
_COMPARED = frozenset({"memory", "price", "scores"})
"""Facts that a comparison of models shows; of others, and of one benchmark, the figures themselves are asked for."""
_ASKED_OF_ONE = frozenset({"quantization", "gpus", "max_memory_gib", "min_context_tokens"})
_OF_THE_WORK = _TECHNIQUES | {"task", "modalities", "reasoning", "architecture", "priority", "hosting"}
_SHORT = 4


def asks_for_facts(s: Signals) -> bool:
    """ "context length of Qwen3-8B and Qwen3-4B", "can phi-4 read images": facts of models that are named."""
    r = s.reading
    found = fact_matches(r.tokens)
    is_asked = s.asks_knowledge or s.is_question or r.has("how_much") or opens_question(r.tokens)
    names_some = s.names_models or (bool(s.statement.ranks) and is_asked)
    choice = s.asks_choice
    is_choice = choice is not None and not any(match.covers(choice.start) for match in found)
    if not found or not names_some or is_choice or s.statement.dataset is not None:
        return False
    if r.has_any("what_if", "refine", "add", "why") or s.takes_back or orders_job(s, found):
        return False
    if _wonders_at_rank(s):
        return False
    if r.has("compare") and all(m.value in _COMPARED and m.category != "names" for m in found):
        return False
    is_plain = not s.has_limits and "task" not in s.fields
    return is_plain or is_asked


def asks_reasons(s: Signals) -> bool:
    """Why the last answer is what it is."""
    r = s.reading
    is_about_answer = s.names_models or s.points_back or bool(s.statement.rejected)
    is_of_a_term = r.has("domain", "strong") and not s.points_back and not s.names_models
    if r.has("explain_result") and (s.previous is not None or s.shown) and not is_of_a_term:
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


def is_comparison(s: Signals) -> bool:
    """Models side by side: "Qwen3-8B vs gpt-oss-20b", "how do the first two differ"."""
    r = s.reading
    if _narrows_choice(s) or _states_licences(s):
        return False
    subjects = len(s.statement.mentions) + len(s.statement.ranks)
    if s.statement.names_rank and not s.statement.ranks:
        subjects += 1
    if subjects == 1 and r.has("pronoun") and s.pointed_at:
        subjects += 1
    if r.has("compare") and (subjects >= 2 or (s.pointed_at and r.has("pronoun", "them"))):
        return True
    if r.has("compare") and not subjects and _was_compared(s):
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


def _was_compared(s: Signals) -> bool:
    """ "Which is faster?", 哪个快, after a comparison: of the same models."""
    return s.previous is not None and s.previous.skill == "compare" and not set(s.fields) - {"priority"}


def _states_licences(s: Signals) -> bool:
    """ "Apache or MIT, both are ok": licences are weighed, not models."""
    is_all = set(s.fields) == {"licences"} and not s.names_models
    return is_all and not s.is_question and not s.reading.has("compare")


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


def is_knowledge(s: Signals) -> bool:
    """A question about models or the trade that wants words, not a choice."""
    if not s.asks_knowledge or s.asks_choice is not None or is_follow_up_wish(s):
        return False
    if s.previous is not None and (adopts(s) or _asks_in_another_precision(s)):
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


def _asks_in_another_precision(s: Signals) -> bool:
    """ "In int8?" after a shortlist: the same choice, loaded another way."""
    was_choice = s.previous is not None and s.previous.skill == "recommend"
    return was_choice and set(s.fields) == {"quantization"} and s.n_words <= _SHORT and not s.points_back


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


def asks_of_one_shown(s: Signals) -> bool:
    """ "The second one in 8 bit?": how it would do, not another choice."""
    r = s.reading
    is_change = r.has_any("refine", "add", "more", "relax", "model_noun") or s.takes_back
    is_of_it = set(s.fields) <= _ASKED_OF_ONE and bool(s.fields or r.has("field_word"))
    return s.statement.names_rank and s.is_question and is_of_it and not is_change and s.asks_choice is None


def asks_whether_some_model_does(s: Signals) -> bool:
    """ "I have a 3070, can it do German chat?": a task and a machine, and no model named, ask for one."""
    is_asked = s.yes_no is not None and not s.reading.has_any("define", "how", "how_much", "why")
    has_machine = not {"gpus", "max_memory_gib"}.isdisjoint(s.fields) and "task" in s.fields
    return (
        is_asked and has_machine and not s.names_models and not s.points_back and not s.reading.has("domain")
    )


def speaks_of_the_trade(s: Signals) -> bool:
    """ "GPTQ and AWQ", "KV cache 公式", "what of speculative decoding": looked up, as nothing is wanted of it."""
    r = s.reading
    is_choice = s.asks_choice is not None or r.has_any("choose", "reset", "more")
    is_wish = bool(set(s.fields) - _TECHNIQUES) or has_thread(s)
    is_ours = r.has("domain", "strong") or (r.has("finetune") and set(s.fields) == {"finetune"})
    asks_of_us = r.has("explain_result", "reasons") and s.previous is None
    return (is_ours or asks_of_us) and not is_choice and not is_wish and not r.has("off_topic")
