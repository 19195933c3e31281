"""Bring a home's catalogue up to date from the model hub and the price list, keeping what was there on failure.

Facts of a checkpoint do not change, so the hub fills what is unknown and says which licence holds now; where it
differs otherwise, what was known stays and the difference is told. Models that were asked longest ago go first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
from genai_prices import UpdatePrices
from genai_prices.update_prices import DEFAULT_UPDATE_URL

from index.catalogue.catalogue import Catalogue
from index.catalogue.home import (
    Held,
    HeldPrice,
    PriceFile,
    Refreshed,
    read_prices,
    read_refreshed,
    refreshed_catalogue,
    refreshed_prices,
    write_prices,
    write_refreshed,
)
from index.catalogue.hub import Hub, HubFailed, HubRecord, Why
from index.catalogue.layers import REQUIRED, Facts
from index.catalogue.soundness import contradicts_context, heads_divide, unsound_fields
from index.prices import PriceList, TokenPrice, shipped_prices
from index.records import ModelFact

DEFAULT_LIMIT = 100
"""Models asked about in one run: a hundred polite requests or two."""
FRESH_FOR = timedelta(hours=24)
"""Who was asked this recently is not asked again, unless named."""
_PAUSE_S = 0.1
_FAILURES_IN_A_ROW = 3
"""After so many without an answer the hub is taken to be away."""
_OVERRULES = frozenset({"licence", "commercial_use"})
"""Facts in which the hub is right even when something else was known."""


@dataclass(frozen=True, slots=True)
class Change:
    """One fact or price that is another now."""

    name: str
    """Of the model."""
    field: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Failure:
    """A model, or the price list, of which nothing new was learnt."""

    name: str
    why: Why


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one refresh did."""

    asked: int
    unchanged: int
    changes: tuple[Change, ...]
    differences: tuple[Change, ...]
    """Where the hub says other than what is kept."""
    figures: int
    """Published on the cards of the models that were asked."""
    failures: tuple[Failure, ...]
    left: int
    """Models that were not asked this time."""
    prices: int | None
    """Prices that were fetched; None when the list could not be."""

    @property
    def learnt_nothing(self) -> bool:
        """True when neither the hub nor the price list gave anything."""
        asked_well = self.asked > len([item for item in self.failures if item.name != "genai-prices"])
        return self.prices is None and not asked_well


def refresh(
    home: Path,
    *,
    hub: Hub,
    names: Sequence[str] = (),
    limit: int = DEFAULT_LIMIT,
    prices_url: str | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> Report:
    """Ask the hub about models, and the price list, and keep the answers in the home."""
    catalogue, held = refreshed_catalogue(home), dict(read_refreshed(home).models)
    now = datetime.now(UTC)
    due = list(names) or _due(catalogue, held, now)
    run = _Run(catalogue=catalogue, held=held, now=now)
    try:
        for model_id in due[:limit]:
            if run.hub_is_away:
                break
            run.ask(hub, model_id)
            pause(_PAUSE_S)
    finally:
        if run.learnt:
            write_refreshed(home, Refreshed(models=dict(sorted(held.items()))))
    fetched = _refresh_prices(home, catalogue, run, prices_url or DEFAULT_UPDATE_URL)
    return Report(
        asked=run.asked,
        unchanged=run.unchanged,
        changes=tuple(run.changes),
        differences=tuple(run.differences),
        figures=run.figures,
        failures=tuple(run.failures),
        left=len(due) - run.asked,
        prices=fetched,
    )


class _Run:
    """The state of one refresh."""

    def __init__(self, *, catalogue: Catalogue, held: dict[str, Held], now: datetime) -> None:
        self.catalogue, self.held, self._stamp = catalogue, held, now.isoformat(timespec="seconds")
        self.changes: list[Change] = []
        self.differences: list[Change] = []
        self.failures: list[Failure] = []
        self.asked = self.unchanged = self.figures = 0
        self.learnt = False
        self._unanswered = 0

    @property
    def hub_is_away(self) -> bool:
        limited = bool(self.failures) and self.failures[-1].why == "too many requests"
        return limited or self._unanswered >= _FAILURES_IN_A_ROW

    def ask(self, hub: Hub, model_id: str) -> None:
        """Ask about one model; on failure what is held of it stays as it is."""
        before = self.held.get(model_id)
        self.asked += 1
        try:
            record = hub.record(model_id, self.catalogue.benchmarks, held_sha=before.sha if before else None)
        except HubFailed as failed:
            self.failures.append(Failure(model_id, failed.why))
            self._unanswered = self._unanswered + 1 if failed.why == "no answer" else 0
            return
        self._unanswered, self.learnt = 0, True
        if record is None and before is not None:
            self.unchanged += 1
            self.held[model_id] = before.model_copy(update={"checked_at_utc": self._stamp})
        elif record is not None:
            self._keep(record, before)

    def _keep(self, record: HubRecord, before: Held | None) -> None:
        known = self.catalogue.models.get(record.id)
        news = sound_news(known, record.facts)
        if news is None:
            self.failures.append(Failure(record.id, "not understood"))
            return
        taken, changes, differences = news
        # Facts that an earlier refresh brought are known by now, so they are not news: keep them.
        earlier = before.facts.stated() if before and before.facts else {}
        facts = taken.model_copy(update={k: v for k, v in earlier.items() if getattr(taken, k) is None})
        self.held[record.id] = Held(
            sha=record.sha,
            checked_at_utc=self._stamp,
            facts=facts if len(facts.stated()) > 1 else None,
            figures=record.figures,
        )
        self.changes += changes
        self.differences += differences
        self.unchanged += not changes
        self.figures += len(record.figures)


def sound_news(known: ModelFact | None, said: Facts) -> tuple[Facts, list[Change], list[Change]] | None:
    """What of the hub's facts to take, what that changes, and where they differ; None for an unusable newcomer."""
    settled = {"id", "organisation"}
    if known is not None:
        settled |= {"kind", "architecture", "open_weights"}
    if known is not None and known.release_date is not None:
        settled.add("release_date")  # a repository's first day is seldom the day of the release
    stated = {name: value for name, value in said.stated().items() if name not in settled}
    if known is None:
        stated = {"architecture": "dense", "organisation": said.organisation, **stated}
    taken: dict[str, Any] = {}
    changes: list[Change] = []
    differences: list[Change] = []
    for name, value in stated.items():
        before = getattr(known, name, None)
        if before == value:
            continue
        change = Change(said.id, name, before, value)
        if before in (None, "unknown") or name in _OVERRULES:
            taken[name] = value
            changes.append(change)
        elif not _about_equal(before, value):
            differences.append(change)
    return _without_unsound(known, said, taken, changes, differences)


def _without_unsound(
    known: ModelFact | None,
    said: Facts,
    taken: dict[str, Any],
    changes: list[Change],
    differences: list[Change],
) -> tuple[Facts, list[Change], list[Change]] | None:
    for _ in range(2):  # taking one figure out may leave another alone with what contradicted it
        if known is None and any(taken.get(name) is None for name in REQUIRED):
            return None
        facts = Facts(id=said.id, **taken, sources=said.sources)
        model = facts.over(known)
        bad = {field for field, _why in unsound_fields(model)}
        if not heads_divide(said.n_heads, model.n_kv_heads):
            bad.add("n_kv_heads")
        if known is not None and contradicts_context(
            known.max_context_tokens, taken.get("max_context_tokens")
        ):
            bad.add("max_context_tokens")
        if not bad & set(taken):
            break
        taken = {name: value for name, value in taken.items() if name not in bad}
    kept = [change for change in changes if change.field in taken]
    return facts, kept, differences


def _about_equal(before: Any, after: Any) -> bool:
    """Sizes are often rounded, and contexts count a few tokens more or less."""
    if (
        isinstance(before, bool)
        or not isinstance(before, (int, float))
        or not isinstance(after, (int, float))
    ):
        return bool(before == after)
    return abs(before - after) <= 0.05 * max(abs(before), abs(after))


def _due(catalogue: Catalogue, held: dict[str, Held], now: datetime) -> list[str]:
    """Open models, those first that were asked longest ago; never those of the last day."""
    fresh = (now - FRESH_FOR).isoformat(timespec="seconds")
    asked = {id_: held[id_].checked_at_utc if id_ in held else "" for id_ in _open_models(catalogue)}
    newest_first = sorted(asked, key=lambda id_: catalogue.models[id_].release_date or "", reverse=True)
    return sorted((id_ for id_ in newest_first if asked[id_] < fresh), key=asked.__getitem__)


def _open_models(catalogue: Catalogue) -> list[str]:
    return [model.id for model in catalogue.models.values() if model.open_weights]


def _refresh_prices(home: Path, catalogue: Catalogue, run: _Run, url: str) -> int | None:
    """Fetch the price list; the prices that were there stay when that fails."""
    try:
        snapshot = UpdatePrices(url=url, request_timeout=httpx2.Timeout(timeout=20, connect=5)).fetch()
        listed = PriceList(snapshot.providers if snapshot else (), label="genai-prices")
        offers = {id_: offer for id_ in catalogue.models if (offer := listed.price(id_)) is not None}
        held = {id_: _held_price(offer) for id_, offer in offers.items()}
    except (httpx2.HTTPError, OSError):
        run.failures.append(Failure("genai-prices", "no answer"))
        return None
    except Exception:  # whatever shape the list has: no price of it may be taken
        run.failures.append(Failure("genai-prices", "not understood"))
        return None
    if not held:
        run.failures.append(Failure("genai-prices", "not understood"))
        return None
    before = refreshed_prices(home)
    earlier = read_prices(home)
    for id_, new in offers.items():
        old = before.get(id_) or shipped_prices().price(id_)
        if old is None or _shown(old) != _shown(new):
            run.changes.append(Change(id_, "price", old and _shown(old), _shown(new)))
    kept = {**(earlier.prices if earlier else {}), **held}
    today = datetime.now(UTC).date().isoformat()
    write_prices(home, PriceFile(fetched_on=today, prices=kept))
    return len(held)


def _held_price(offer: TokenPrice) -> HeldPrice:
    return HeldPrice(
        provider=offer.provider,
        input_usd_per_mtok=offer.input_usd_per_mtok,
        output_usd_per_mtok=offer.output_usd_per_mtok,
        url=offer.source.url,
    )


def _shown(price: TokenPrice) -> str:
    written = "" if price.output_usd_per_mtok is None else f" / {price.output_usd_per_mtok:g}"
    return f"{price.input_usd_per_mtok:g}{written} USD per million tokens"
