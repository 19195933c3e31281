"""A shortlist -> what would change the answer, in words: another worth of quality, one constraint less, a measurement."""

from __future__ import annotations

from collections.abc import Sequence

from index.bilingual import Bilingual, Language
from skills.conversation.request import Requirements
from skills.ranking.rank import Option, Piece
from skills.ranking.relax import Relaxation
from skills.ranking.settle import Settlement
from skills.ranking.shortlist import Shortlist
from skills.wording import (
    constraint_name,
    left_out,
    percent,
    quantization_name,
    short_name,
    usd_amount,
)

_NEAREST = 3
_WITHOUT = 2
_RELAXED = 3


def said_of_changes(shortlist: Shortlist, language: Language) -> tuple[str, ...]:
    """The blocks that close a recommendation: what was left out and how narrowly, and what would change it."""
    blocks = (
        _left_out_with_nearest(shortlist, language),
        _joined([*_flips(shortlist, language), *_without(shortlist, language)], language),
        settling(shortlist, language),
    )
    return tuple(block for block in blocks if block)


def settling(shortlist: Shortlist, language: Language) -> str:
    """The evaluation that would settle a close ranking."""
    found = shortlist.settlement
    if found is None or not shortlist.is_close:
        return ""
    names = _named(found.contenders, language)
    took = _minutes(found)
    return Bilingual(
        f"To settle it: evaluate {names} on {found.rows} of your own rows{took.en}; the one ahead then is the best "
        f"of them, or within 2 points, with {percent(found.chance)} probability.",
        f"想定下来：用你自己的 {found.rows} 行数据评测{names.rstrip()}{took.zh}；"
        f"届时领先者是其中最优（或差距在 2 个百分点内）的概率为 {percent(found.chance)}。",
    ).to(language)


def nothing_left(shortlist: Shortlist, language: Language) -> str:
    """No model meets every constraint: which one to relax, and what that buys."""
    first = Bilingual("**No model meets all of it.**", "**没有模型满足全部条件。**").to(language)
    clash = contradiction(shortlist.requirements, language)
    options = [_bought(item, language) for item in shortlist.relaxations[:_RELAXED]]
    if options:
        lead = Bilingual("Giving up one constraint would be enough:", "放宽一项就够了：").to(language)
        advice = "\n".join([lead, *(f"- {line}" for line in options)])
    else:
        advice = Bilingual(
            "No single constraint is to blame: two or more have to give way. Drop the one that matters least, "
            "and I will rank again.",
            "不是某一项条件的问题：至少要放宽两项。请先去掉最不重要的一项，我再排一次。",
        ).to(language)
    parts = [
        " ".join(part for part in (first, clash) if part),
        _left_out_with_nearest(shortlist, language),
        advice,
    ]
    return "\n\n".join(part for part in parts if part)


def contradiction(requirements: Requirements, language: Language) -> str:
    """Two stated limits that no model could meet together."""
    least, most = requirements.min_params_b, requirements.max_params_b
    if least is None or most is None or least <= most:
        return ""
    return Bilingual(
        f"At least {least:g}B and at most {most:g}B parameters cannot both hold.",
        f"参数不少于 {least:g}B 与不超过 {most:g}B 不能同时成立。",
    ).to(language)


def _left_out_with_nearest(shortlist: Shortlist, language: Language) -> str:
    told = left_out(shortlist, language)
    colon = "：" if language == "zh" else ": "
    misses = [
        f"{constraint_name(miss.constraint, language)}{colon}{short_name(miss.model.id)} {miss.remedy.to(language)}"
        for miss in shortlist.nearest_misses[:_NEAREST]
    ]
    if not told or not misses:
        return told
    shown = ("；" if language == "zh" else "; ").join(misses)
    return told + Bilingual(f" Nearest miss for {shown}.", f"最接近的：{shown}。").to(language)


def _flips(shortlist: Shortlist, language: Language) -> list[str]:
    """The neighbours on the lower envelope, and the worth of a point of quality at which each takes over."""
    pieces, alpha = shortlist.pieces, shortlist.criteria.alpha_usd_per_mtok
    place = _place(pieces, alpha)
    found = []
    if place > 0:
        here = pieces[place].alpha_from / 100
        found.append(
            Bilingual(
                f"if a point of quality is worth less than ${usd_amount(here)} per million tokens, "
                f"{_name(pieces[place - 1].option, 'en')}",
                f"若一个百分点的质量每百万 token 不值 {usd_amount(here)} 美元，则选"
                f" {_name(pieces[place - 1].option, 'zh')}",
            )
        )
    end = pieces[place].alpha_to if pieces else None
    if end is not None:
        found.append(
            Bilingual(
                f"if it is worth more than ${usd_amount(end / 100)}, {_name(pieces[place + 1].option, 'en')}",
                f"若值 {usd_amount(end / 100)} 美元以上，则选 {_name(pieces[place + 1].option, 'zh')}",
            )
        )
    return [item.to(language) for item in found]


def _place(pieces: Sequence[Piece], alpha: float) -> int:
    """The piece that holds this alpha; at a border the one that ends there."""
    return next((n for n, p in enumerate(pieces) if p.alpha_to is None or alpha <= p.alpha_to), 0)


def _without(shortlist: Shortlist, language: Language) -> list[str]:
    """Constraints without which another model would come first."""
    better = [item for item in shortlist.relaxations if item.saves > 0][:_WITHOUT]
    return [
        Bilingual(
            f"without the {constraint_name(item.constraint, 'en')} limit, {_name(item.best, 'en')} "
            f"(cost + alpha × loss smaller by {usd_amount(item.saves)})",
            f"若不限{constraint_name(item.constraint, 'zh')}，则选 {_name(item.best, 'zh')}"
            f"（成本 + alpha × 损失小 {usd_amount(item.saves)}）",
        ).to(language)
        for item in better
    ]


def _joined(parts: Sequence[str], language: Language) -> str:
    if not parts:
        return ""
    shown = ("；" if language == "zh" else "; ").join(parts)
    return Bilingual(f"What would change it: {shown}.", f"什么会改变结论：{shown}。").to(language)


def _bought(item: Relaxation, language: Language) -> str:
    option = item.best
    quality, cost = 1 - option.loss.value, usd_amount(option.cost.value)
    memory = "" if option.vram_gib is None else f", {option.vram_gib:.1f} GiB"
    noun = "model" if item.count == 1 else "models"
    return Bilingual(
        f"{constraint_name(item.constraint, 'en')}: {item.count} {noun}, best {_name(option, 'en')} "
        f"(expected quality {quality:.2f}, ${cost} per million tokens{memory})",
        f"{constraint_name(item.constraint, 'zh')}：多出 {item.count} 个，最好的是 {_name(option, 'zh')}"
        f"（预期质量 {quality:.2f}，每百万 token {cost} 美元{memory.replace(', ', '，')}）",
    ).to(language)


def _minutes(found: Settlement) -> Bilingual:
    if found.gpu_minutes is None:
        return Bilingual("", "")
    return Bilingual(
        f" (about {found.gpu_minutes:.0f} GPU minutes, an estimate)",
        f"（约 {found.gpu_minutes:.0f} GPU 分钟，估算）",
    )


def _named(options: Sequence[Option], language: Language) -> str:
    names = [_name(option, language) for option in options]
    if language == "zh":
        return f" {'、'.join(names)} "
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _name(option: Option, language: Language) -> str:
    return f"{short_name(option.model.id, option.adapter)} {quantization_name(option.quantization, language)}"
