"""Rows of the table `launches`: what somebody wants to start and has not started yet.

A filled-in form waits here for its Start button, and a job above the limits for an approver, so that nothing is
lost by a restart and any replica can go on.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

from pydantic import TypeAdapter
from sqlalchemy import Engine, insert, select, update
from sqlalchemy.exc import IntegrityError

from bot.inbound import Place
from finetune.jobs import Wanted
from finetune.selections import SelectionSpec
from finetune.spec import EvaluationSpec, Spec, TuningSpec
from finetune.state import Terms
from index.bilingual import Language
from index.schema import launches
from index.store import utc_now

LaunchState = Literal["draft", "asked", "approved", "declined"]

_SPEC: TypeAdapter[EvaluationSpec | TuningSpec] = TypeAdapter(Spec)


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One job that is wanted, and where its card belongs."""

    wanted: Wanted
    place: Place
    language: Language
    state: LaunchState = "draft"
    decided_by: str | None = None
    race: SelectionSpec | None = None
    """A race of bases, in place of the one job; `wanted` has its first candidate."""

    @property
    def key(self) -> str:
        """The job's own key: a launch becomes one job at most."""
        return self.wanted.dedupe_key


class Launches:
    """The launches of one store."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def keep(self, launch: Launch) -> None:
        """Keep a launch; what was kept under its key and nobody has decided on is replaced."""
        if not self._insert(launch):
            row = launches.c
            open_one = (row.key == launch.key) & row.state.in_(("draft",))
            with self._engine.begin() as connection:
                connection.execute(update(launches).where(open_one).values(_values(launch)))

    def ask(self, launch: Launch) -> bool:
        """Keep a launch as one that waits for an approver; False when it does already, or was decided."""
        return self._insert(launch, state="asked") or self.move(launch.key, "draft", "asked")

    def find(self, key: str) -> Launch | None:
        """The launch of this key."""
        with self._engine.connect() as connection:
            row = connection.execute(select(launches).where(launches.c.key == key)).mappings().first()
        if row is None:
            return None
        is_race = "candidates" in row["spec"] and "kind" not in row["spec"]
        race = SelectionSpec.model_validate(row["spec"]) if is_race else None
        wanted = Wanted(
            spec=race.candidates[0] if race else _SPEC.validate_python(row["spec"]),
            dedupe_key=row["key"],
            owner=row["owner"],
            thread=row["thread"],
            terms=Terms(**row["terms"]),
        )
        place = Place(team=row["team"], channel=row["channel"], thread_ts=row["thread_ts"])
        return Launch(
            wanted=wanted,
            place=place,
            language=row["language"],
            state=row["state"],
            decided_by=row["decided_by"],
            race=race,
        )

    def move(self, key: str, before: LaunchState, after: LaunchState, by: str | None = None) -> bool:
        """Change the state; False when it is not `before` any more, so that only one decides."""
        change = update(launches).where(launches.c.key == key, launches.c.state == before)
        with self._engine.begin() as connection:
            return connection.execute(change.values(state=after, decided_by=by)).rowcount == 1

    def _insert(self, launch: Launch, state: LaunchState | None = None) -> bool:
        values = _values(launch) | {"state": state or launch.state, "created_at_utc": utc_now()}
        try:
            with self._engine.begin() as connection:
                connection.execute(insert(launches).values(values))
        except IntegrityError:
            return False
        return True


def _values(launch: Launch) -> dict[str, object]:
    wanted = launch.wanted
    return {
        "key": wanted.dedupe_key,
        "spec": (launch.race or wanted.spec).model_dump(mode="json"),
        "terms": asdict(wanted.terms),
        "owner": wanted.owner,
        "thread": wanted.thread,
        "language": launch.language,
        **asdict(launch.place),
    }
