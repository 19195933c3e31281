"""Find the best candidate while most items are still unseen: a paired race with anytime-valid stops.

All candidates still in the race see the same items, in random order. A candidate is dropped when a test says
that it cannot be the best, and the race is over when one is left, or when seeing the rest of the items would
not change who is first by `delta` or more.

The test is a bet (Waudby-Smith and Ramdas, JRSS B 2024; Shafer, JRSS A 2021). Were candidate i at least as
good as j, a gambler who stakes a share of the capital on j scoring higher on the next item would not expect
to gain, whenever the game ends: capital of 1/alpha has a chance of at most alpha (Ville). Against the claim
"i is the best" the capital is the mean over its rivals j, each played with several shares at once. So the best
candidate is dropped with a chance of at most alpha, however often one looks.

Rows that come in groups are raced group by group: each is one step (`Steps`), so that all of this holds for groups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from finetune.clusters import Codes, group_totals
from finetune.paired import Verdict, compare_all, items_needed, verdict

ALPHA = 0.05
"""Chance of dropping the best candidate at most."""
DELTA = 0.01
"""A difference of the mean score, on a scale of 0 to 1, that is too small to pay for."""

Scores = NDArray[np.float64]
"""Candidates x items, each from 0 to 1."""

_SHARES_PLAYED = 12
_LARGEST_SHARE = 0.95
_LOG_CAPITAL_LIMIT = 50.0


class Race:
    """A race that is fed batch by batch: `see` the next items until `is_over`."""

    def __init__(
        self, names: Sequence[str], n_items: int, *, alpha: float = ALPHA, delta: float = DELTA
    ) -> None:
        """`n_items`: as many as a full evaluation would have."""
        self.names = tuple(names)
        self.n_items = n_items
        self.alpha = alpha
        self.delta = delta
        self.items_seen = 0
        self._is_in = np.ones(len(names), dtype=bool)
        self._used = np.zeros(len(names), dtype=int)
        self._scores: Scores = np.zeros((len(names), 0))
        self._better = _Bets(len(names), n_items)
        self._ahead = _BetsOnTheRest(len(names), n_items, margin=delta)

    @property
    def remaining(self) -> list[str]:
        """Those still in the race."""
        return [name for name, is_in in zip(self.names, self._is_in, strict=True) if is_in]

    @property
    def items_used(self) -> dict[str, int]:
        """How many items each candidate has answered."""
        return dict(zip(self.names, self._used.tolist(), strict=True))

    @property
    def means(self) -> dict[str, float]:
        """Mean score of each candidate over the items that it has answered; 0 before the first."""
        totals = self._scores.sum(axis=1) / np.maximum(self._used, 1)
        return dict(zip(self.names, totals.tolist(), strict=True))

    @property
    def leader(self) -> str:
        """The best so far of those still in the race; the first named of equals."""
        return self.names[self._leader()]

    def see(self, scores: Mapping[str, Sequence[float]]) -> list[str]:
        """Take the scores of the next items from all that remain; return those that are now out."""
        batch = np.zeros((len(self.names), len(next(iter(scores.values())))))
        for i in np.flatnonzero(self._is_in):
            batch[i] = scores[self.names[i]]
        seen_after = self.items_seen + batch.shape[1]
        if batch.min() < 0 or batch.max() > 1 or seen_after > self.n_items:
            raise ValueError(f"a race of {self.n_items} items takes scores from 0 to 1, and no more items")
        self._better.play(batch, self._is_in)
        self._ahead.play(batch, self._is_in, self.items_seen)
        self._scores = np.concatenate([self._scores, batch], axis=1)
        self._used[self._is_in] += batch.shape[1]
        self.items_seen = seen_after
        return self._drop()

    def withdraw(self, name: str) -> None:
        """Take out a candidate that can answer no more, such as one that failed."""
        self._is_in[self.names.index(name)] = False

    @property
    def is_over(self) -> bool:
        """True when one is left, the items are used up, or the rest would not change who is first."""
        if self._is_in.sum() <= 1 or self.items_seen == self.n_items:
            return True
        return self.items_seen > 0 and self._is_settled() and not self._is_winner_in_reach()

    @property
    def verdict(self) -> Verdict:
        """What may be claimed of the leader now.

        winner: all others were dropped, or, with all items seen, lose the paired comparison of a full
        evaluation. indistinguishable: those that remain lie within `delta` of it, were all items seen.
        insufficient: it leads, by more than `delta` or by an unknown difference that may be chance.
        """
        if self._is_in.sum() == 1:
            return "winner"
        if self._all_within_delta():
            return "indistinguishable"
        if self.items_seen == self.n_items:
            return self._verdict_of_full_run()
        return "insufficient"

    @property
    def more_items_needed(self) -> int | None:
        """Items beside those seen that would likely prove the leader better than its closest rival."""
        if self.verdict != "insufficient":
            return None
        leads = self._scores[self._leader()] - self._scores[self._rivals()]
        needed = [items_needed(lead.tolist()) for lead in leads]
        return None if None in needed else max(0, max(n for n in needed if n) - self.items_seen)

    def _drop(self) -> list[str]:
        capital = self._better.capital_against_being_best()
        lost = self._is_in & (capital >= 1 / self.alpha)
        lost[self._leader()] = False
        self._is_in &= ~lost
        return [self.names[i] for i in np.flatnonzero(lost)]

    def _leader(self) -> int:
        return int(np.where(self._is_in, self._scores.sum(axis=1), -1.0).argmax())

    def _rivals(self) -> NDArray[np.int64]:
        return np.array([i for i in np.flatnonzero(self._is_in) if i != self._leader()], dtype=int)

    def _is_settled(self) -> bool:
        """No rival would be ahead of the leader by `delta` or more after all items."""
        needed = (len(self.names) - 1) / self.alpha
        return bool((self._ahead.capital()[self._leader(), self._rivals()] >= needed).all())

    def _is_winner_in_reach(self) -> bool:
        """Were all to go on as so far, the leader would win the paired comparison over all items."""
        lead = self._scores[self._leader()] - self._scores[self._rivals()]
        spread = np.maximum(lead.std(axis=1), 1e-9) / np.sqrt(self.n_items)
        z_needed = NormalDist().inv_cdf(1 - self.alpha / (2 * (len(self.names) - 1)))
        return bool((lead.mean(axis=1) / spread >= z_needed).all())

    def _all_within_delta(self) -> bool:
        leader, rivals = self._leader(), self._rivals()
        if self.items_seen == self.n_items:
            means = self._scores.mean(axis=1)
            return bool((means[leader] - means[rivals] < self.delta).all())
        needed, capital = (len(self.names) - 1) / self.alpha, self._ahead.capital()
        return bool((capital[leader, rivals] >= needed).all() and (capital[rivals, leader] >= needed).all())

    def _verdict_of_full_run(self) -> Verdict:
        scores = {self.names[i]: self._scores[i].tolist() for i in np.flatnonzero(self._is_in)}
        if self.n_items < 2:
            return "insufficient"
        pairs = compare_all(scores)
        return verdict([pair for (a, _), pair in pairs.items() if a == self.leader], delta=self.delta)


class Steps:
    """What a race takes in as one step: a row, or all rows of a group, since these are not independent.

    A group scores the sum over its rows, as a share of the size of the largest group. So bets are on the mean over
    rows, the figure that is reported, and scores stay between 0 and 1.
    """

    def __init__(self, n_rows: int, groups: Codes | None) -> None:
        """`groups`: numbered in the order in which they are raced, the rows of each together."""
        self._n_rows = n_rows
        self._codes = np.arange(n_rows) if groups is None else groups
        self.sizes = np.bincount(self._codes)
        self._largest = int(self.sizes.max())

    def __len__(self) -> int:
        return len(self.sizes)

    def delta(self, delta: float) -> float:
        """A difference of means over rows as one of means over steps."""
        return delta * self._n_rows / (self._largest * len(self))

    def scores(self, rows: Sequence[float], *, first: int) -> list[float]:
        """The steps that the next rows make; `first` is the number of the first of these steps."""
        start = int(self.sizes[:first].sum())
        codes = self._codes[start : start + len(rows)] - first
        found: list[float] = (group_totals(np.asarray(rows, dtype=float), codes) / self._largest).tolist()
        return found

    def rows(self, steps: int) -> int:
        """How many rows the first steps are."""
        return int(self.sizes[:steps].sum())

    def mean_of_rows(self, mean: float, steps: int) -> float:
        """The mean over the rows of the first steps, from the mean over these steps."""
        return mean * steps * self._largest / max(1, self.rows(steps))


class _Bets:
    """Capital [i, j, share] of gamblers who hold that j scores higher than i, in logarithms."""

    def __init__(self, n_candidates: int, n_items: int) -> None:
        smallest = min(0.5, 1.5 / np.sqrt(n_items))
        self._shares = np.geomspace(smallest, _LARGEST_SHARE, _SHARES_PLAYED)
        self._log_capital = np.zeros((n_candidates, n_candidates, _SHARES_PLAYED))

    def play(self, batch: Scores, is_in: NDArray[np.bool_]) -> None:
        """Play the items of a batch; those out of the race, and bets on them, stay as they are."""
        index = np.flatnonzero(is_in)
        scores = batch[index]
        gain = scores[None, :, :] - scores[:, None, :]
        grown = np.log1p(self._shares * gain[..., None]).sum(axis=2)
        self._log_capital[np.ix_(index, index)] += grown

    def capital_against_being_best(self) -> Scores:
        """For each candidate, the mean over its rivals."""
        capital = np.exp(np.minimum(self._log_capital, _LOG_CAPITAL_LIMIT)).mean(axis=2)
        np.fill_diagonal(capital, 0.0)
        rivals: Scores = capital.sum(axis=1) / max(1, len(capital) - 1)
        return rivals


class _BetsOnTheRest:
    """Capital [i, j, share] against "after all items, j is ahead of i by `margin` or more".

    Here the items are all there is, drawn one by one without being put back: what j is ahead on the rest
    follows from the claim and from what was seen, so the test grows sharp as the rest grows short.
    """

    def __init__(self, n_candidates: int, n_items: int, *, margin: float) -> None:
        smallest = min(0.5, 1.5 / np.sqrt(n_items))
        self._shares = np.geomspace(smallest, _LARGEST_SHARE, _SHARES_PLAYED)
        self._n_items, self._margin = n_items, margin
        self._lead = np.zeros((n_candidates, n_candidates))
        self._log_capital = np.zeros((n_candidates, n_candidates, _SHARES_PLAYED))
        self._is_impossible = np.zeros((n_candidates, n_candidates), dtype=bool)

    def play(self, batch: Scores, is_in: NDArray[np.bool_], seen: int) -> None:
        """Play the items of a batch; `seen` came before it."""
        index = np.flatnonzero(is_in)
        pairs = np.ix_(index, index)
        scores = batch[index]
        lead = scores[None, :, :] - scores[:, None, :]
        before = self._lead[pairs][..., None] + lead.cumsum(axis=2) - lead
        left = self._n_items - seen - np.arange(batch.shape[1])
        claimed = (self._n_items * self._margin - before) / left
        # The claim needs a mean lead of more than 1 on the rest.
        self._is_impossible[pairs] |= (claimed > 1).any(axis=2)
        room = np.maximum(1 - claimed, 1e-9)[..., None]
        stake = np.minimum(self._shares, _LARGEST_SHARE / room)
        grown = np.log1p(np.maximum(stake * (claimed - lead)[..., None], -_LARGEST_SHARE))
        self._log_capital[pairs] += np.where(claimed[..., None] > 1, 0.0, grown).sum(axis=2)
        self._lead[pairs] += lead.sum(axis=2)

    def capital(self) -> Scores:
        """Infinite where the claim has become impossible."""
        found: Scores = np.exp(np.minimum(self._log_capital, _LOG_CAPITAL_LIMIT)).mean(axis=2)
        found[self._is_impossible] = np.inf
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class RaceResult:
    """How a race over given outcomes ended."""

    winner: str | None
    """None unless the verdict is winner."""
    leader: str
    verdict: Verdict
    remaining: tuple[str, ...]
    items_used: dict[str, int]
    means: dict[str, float]
    """Mean score over the items used."""
    share_of_full_cost: float
    """Answers used over candidates times items."""
    more_items_needed: int | None
    """Roughly, to prove the leader better than its closest rival; None when nothing is left to prove."""


def replay(
    outcomes: Mapping[str, Sequence[float]],
    *,
    alpha: float = ALPHA,
    delta: float = DELTA,
    seed: int = 0,
    batch: int | None = None,
    groups: Codes | None = None,
) -> RaceResult:
    """Race candidates whose scores on all items are known, each from 0 to 1, items in seeded random order.

    `batch`: items, or groups, between two looks; None is a fiftieth of all.
    """
    names, scores = tuple(outcomes), np.asarray(list(outcomes.values()), dtype=float)
    n_items = scores.shape[1]
    order, codes = _order(n_items, groups, seed)
    steps = Steps(n_items, codes)
    size = batch or max(1, len(steps) // 50)
    race = Race(names, len(steps), alpha=alpha, delta=steps.delta(delta))
    while not race.is_over:
        first = race.items_seen
        items = order[steps.rows(first) : steps.rows(first + size)]
        given = {name: scores[names.index(name), items].tolist() for name in race.remaining}
        race.see({name: steps.scores(of_one, first=first) for name, of_one in given.items()})
    items_used = {name: steps.rows(used) for name, used in race.items_used.items()}
    more = race.more_items_needed
    return RaceResult(
        winner=race.leader if race.verdict == "winner" else None,
        leader=race.leader,
        verdict=race.verdict,
        remaining=tuple(race.remaining),
        items_used=items_used,
        means={name: steps.mean_of_rows(race.means[name], race.items_used[name]) for name in names},
        share_of_full_cost=sum(items_used.values()) / (len(names) * n_items),
        more_items_needed=None if more is None else round(more * n_items / len(steps)),
    )


def _order(n_items: int, groups: Codes | None, seed: int) -> tuple[NDArray[np.intp], Codes | None]:
    """Items in random order, whole groups together, and the groups numbered in that order."""
    chance = np.random.default_rng(seed)
    if groups is None:
        return chance.permutation(n_items), None
    number = chance.permutation(int(groups.max()) + 1)[groups]
    order = np.argsort(number, kind="stable")
    return order, number[order]
