"""Words after `/shortlist` that are an order, not a question -> what was done, told to that person alone.

`forget me`, `roles`, `roles grant WHO ROLE`, `roles revoke WHO`, `roles quota WHO [N minutes] [N usd]`, in either language.
An order is read from a command only, never from a message or a document: nothing that is quoted can give one.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from bot import wording
from bot.access import named
from bot.administration import Administration
from bot.grants import Grants, subject_named
from bot.holdings import Holdings
from bot.roles import Quota
from bot.surface import Surface
from index.audit import Trail
from index.bilingual import Bilingual
from index.errors import BadInput

Order = Callable[[Surface, re.Match[str], str], Bilingual]

_NUMBER = r"(\d+(?:\.\d+)?)"


def carried_out(surface: Surface, words: str, person: str) -> Bilingual | None:
    """What came of an order; None when the words are none. Raises NotAllowed or BadInput when it cannot be done."""
    for pattern, order in _ORDERS:
        if (found := pattern.fullmatch(words.strip())) is not None:
            return order(surface, found, person)
    return None


def administration_of(surface: Surface) -> Administration:
    """Changes of roles and quotas, as a form of the Home tab may make them too."""
    return Administration(surface.access, Grants(surface.engine), Trail(surface.engine))


def _list(surface: Surface, _found: re.Match[str], person: str) -> Bilingual:
    surface.access.require("roles", person)
    given = sorted(surface.access.given().items(), key=lambda item: (-item[1], item[0]))
    lines = "\n".join(f"• {named(subject)}: {role.word}" for subject, role in given)
    return wording.filled(wording.ROLES_ARE, roles=lines)


def _change(surface: Surface, found: re.Match[str], person: str) -> Bilingual:
    verb, subject, rest = found["verb"].lower(), subject_named(found["subject"]), found["rest"].strip()
    administration = administration_of(surface)
    if verb in {"revoke", "收回"}:
        administration.revoke(subject, by=person)
        return wording.filled(wording.ROLE_TAKEN, subject=named(subject))
    if verb in {"quota", "配额"}:
        administration.limit(subject, _quota(rest), by=person)
        return wording.filled(wording.QUOTA_SET, subject=named(subject))
    role = administration.grant(subject, rest, by=person)
    return wording.filled(wording.ROLE_GIVEN, subject=named(subject), role=role.word)


def _quota(text: str) -> Quota | None:
    """`600 minutes 50 usd`; `none` lifts the limits, `reset` lets the file's hold again."""
    if text in {"reset", "恢复"}:
        return None
    minutes = re.search(rf"{_NUMBER}\s*(?:gpu[ -]?)?(?:min|minutes|分钟)", text)
    usd = re.search(rf"\$\s*{_NUMBER}|{_NUMBER}\s*(?:usd|dollars?|美元)", text)
    if minutes is None and usd is None and text not in {"none", "不限"}:
        raise BadInput(wording.filled(wording.BAD_QUOTA, given=text))
    return Quota(
        gpu_minutes=float(minutes[1]) if minutes else None, usd=float(usd[1] or usd[2]) if usd else None
    )


def _forget(surface: Surface, found: re.Match[str], person: str) -> Bilingual:
    """Say what would be deleted; delete it when it is said again with `now`."""
    trail = Trail(surface.engine)
    holdings = Holdings(surface.engine, surface.jobs, surface.threads, surface.access, trail)
    if not found["now"]:
        turns, jobs = holdings.count(person)
        return wording.filled(wording.FORGET_WHAT, turns=turns, jobs=jobs)
    done = holdings.forget(person, by=person)
    sentence = wording.FORGOTTEN if not done.still_running else wording.FORGOTTEN_BUT
    return wording.filled(sentence, turns=done.turns, jobs=done.jobs, running=done.still_running)


_ORDERS: tuple[tuple[re.Pattern[str], Order], ...] = (
    (re.compile(r"(?:forget me|忘记我|删除我的数据)\s*(?P<now>now|确认)?", re.IGNORECASE), _forget),
    (re.compile(r"roles|角色", re.IGNORECASE), _list),
    (
        re.compile(
            r"(?:roles|角色)\s+(?P<verb>grant|revoke|quota|授予|收回|配额)\s+(?P<subject>\S+)(?P<rest>.*)",
            re.IGNORECASE,
        ),
        _change,
    ),
)
