"""Requirements, catalogue, abilities and measurements -> one shortlist: ranked options, exclusions, flip points.

The six steps of a choice meet here: needs (criteria), candidates (constraints), measured performance (loss),
cost-benefit (options, rank), decision (the first of `ranked`); re-evaluation is asking again once more was
measured.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

from index.catalogue import Catalogue
from index.prices import GpuFact
from index.records import Measurement
from skills.conversation.request import Requirements
from skills.ranking import constraints, options
from skills.ranking.ability import Abilities
from skills.ranking.constraints import Excluded
from skills.ranking.criteria import Criteria, criteria_for
from skills.ranking.hardware import available_memory_gib, named_gpu
from skills.ranking.loss import LossModel
from skills.ranking.options import Context
from skills.ranking.rank import Option, Piece, Ranked, frontier, rank
from skills.ranking.relax import Miss, Relaxation, nearest_misses, relaxations
from skills.ranking.settle import Settlement, settlement


@dataclass(frozen=True, kw_only=True)
class Shortlist:
    """One ranking, with all that is needed to explain it."""

    requirements: Requirements
    criteria: Criteria
    ranked: tuple[Ranked, ...]
    excluded: tuple[Excluded, ...]
    pieces: tuple[Piece, ...]
    options: tuple[Option, ...]
    """Every way of running every candidate."""
    context: Context
    data_updated: str
    """Date of the catalogue."""

    @property
    def losses(self) -> LossModel:
        """What each model is expected to lose."""
        return self.context.losses

    @property
    def available_gib(self) -> float | None:
        """Memory that was stated, or that the named accelerators have."""
        return self.context.available_gib

    @property
    def gpu(self) -> GpuFact | None:
        """The accelerator that was named; None lets every model take the cheapest that it fits."""
        return self.context.gpu

    @cached_property
    def relaxations(self) -> list[Relaxation]:
        """What giving up one constraint would bring, the most first."""
        return relaxations(self.excluded, self.context, self.ranked[0].option if self.ranked else None)

    @cached_property
    def nearest_misses(self) -> list[Miss]:
        """For each limit with a number, the model that missed it by the least."""
        return nearest_misses(self.excluded, self.context)

    @cached_property
    def settlement(self) -> Settlement | None:
        """The evaluation that would tell the likeliest winners apart."""
        return settlement(self.ranked, self.criteria.alpha_usd_per_mtok)

    @property
    def is_close(self) -> bool:
        """True when the first is not clearly the best: too close to call."""
        return len(self.ranked) > 1 and self.ranked[0].p_best < 0.8


def build(
    requirements: Requirements,
    *,
    catalogue: Catalogue,
    abilities: Abilities,
    measurements: Sequence[Measurement] = (),
    rejected: Collection[str] = (),
) -> Shortlist:
    """Apply the constraints, then order what remains by cost + alpha * loss."""
    criteria = criteria_for(requirements)
    known = [row for row in measurements if row.model_id in abilities.models]
    measured = {row.model_id for row in known}
    kept, excluded = constraints.apply(
        catalogue.models.values(), requirements, measured=measured, rejected=rejected
    )
    losses = LossModel.build(abilities, catalogue.benchmarks.values(), criteria.skill_weights, known)
    gpu, memory_gib = named_gpu(requirements), available_memory_gib(requirements)
    context = options.Context(requirements, criteria, losses, gpu=gpu, available_gib=memory_gib)
    usable, unusable = options.build(kept, context)
    alpha = criteria.alpha_usd_per_mtok
    return Shortlist(
        requirements=requirements,
        criteria=criteria,
        ranked=tuple(rank(usable, alpha)),
        excluded=(*excluded, *unusable),
        pieces=tuple(frontier(usable)),
        options=tuple(usable),
        context=context,
        data_updated=catalogue.updated,
    )
