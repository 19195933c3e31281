"""Turn documents, their passages and the passages' vectors into one SQLite file: the truth about what is known.

The word index and the vector index are made from this file, and brought up to it after a crash. A passage is
named by its row, which is never used again. Vectors carry the id of their model, so two are never mixed.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from index.embed import Matrix, normalised
from index.records import Passage

SCHEMA_VERSION = 3
IN_MEMORY = Path(":memory:")

EVERYTHING = "*"
"""The audience that sees every document, whoever it is for."""

Vectors = Mapping[str, NDArray[np.float32]]
"""Normalised vectors by passage id; they are kept in half precision."""

_NAMES = [field.name for field in fields(Passage)]
_COLUMNS = ", ".join(_NAMES)
_PLACES = ", ".join("?" * len(_NAMES))
_MOST_VARIABLES = 500
_SCHEMA = f"""
create table meta (key text primary key, value text not null) without rowid;
insert into meta values ('version', '0');
create table documents (source text primary key, sha256 text not null, is_ours integer not null) without rowid;
create table audiences (
    source text not null references documents on delete cascade, channel text not null, primary key (source, channel)
) without rowid;
create table passages (
    row integer primary key autoincrement, id text not null unique,
    source text not null references documents on delete cascade,
    title text not null, locator text not null, text text not null, language text not null, topic text, url text,
    asks text not null
);
create index passages_of_a_document on passages (source);
create table vectors (
    number integer primary key autoincrement, row integer not null references passages on delete cascade,
    model_id text not null, vector blob not null, unique (row, model_id)
);
pragma user_version = {SCHEMA_VERSION};
"""


_FROM_2 = """
create table audiences (
    source text not null references documents on delete cascade, channel text not null, primary key (source, channel)
) without rowid;
pragma user_version = 3;
"""


class OfAnotherVersion(Exception):
    """The file was written by another version of this program."""

    def __init__(self, found: int) -> None:
        super().__init__(f"schema {found}, expected {SCHEMA_VERSION}")
        self.found = found


class Passages:
    """One file of documents and passages, or none (`IN_MEMORY`). Any number of threads and processes may use it.

    A document may be limited to channels. `seen_from` gives what is seen from one of them: there, what is for others
    is not read from the file at all. Raises sqlite3.Error when the file is damaged or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._audience: str | None = EVERYTHING
        self._one_at_a_time = threading.RLock()
        if path != IN_MEMORY:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = normal")
        self._db.execute("pragma foreign_keys = on")
        self._prepare()

    def _prepare(self) -> None:
        with self._transaction():
            (found,) = self._db.execute("pragma user_version").fetchone()
            if found == 0:
                for statement in _SCHEMA.split(";"):
                    self._db.execute(statement)
            elif found == 2:
                for statement in _FROM_2.split(";"):
                    self._db.execute(statement)
            elif found != SCHEMA_VERSION:
                raise OfAnotherVersion(found)

    def seen_from(self, audience: str | None) -> Passages:
        """The same file as seen from a channel; from None only what is for everybody, from EVERYTHING all."""
        seen = copy(self)
        seen._audience = audience
        return seen

    @property
    def _visible(self) -> str:
        """SQL condition on `source`. The channel's name comes as a value, never as SQL."""
        if self._audience == EVERYTHING:
            return "1"
        if self._audience is None:
            return "source not in (select source from audiences)"
        return (
            "(source not in (select source from audiences) "
            "or source in (select source from audiences where channel = ?))"
        )

    @property
    def _to(self) -> tuple[str, ...]:
        """The values of `_visible`."""
        return () if self._audience in (None, EVERYTHING) else (str(self._audience),)

    def channels(self) -> list[str]:
        """The channels that some document is limited to."""
        return [
            channel for (channel,) in self._all("select distinct channel from audiences order by channel")
        ]

    def audiences(self) -> dict[str, frozenset[str]]:
        """Source of each limited document -> the channels that it is for."""
        found: dict[str, set[str]] = {}
        for source, channel in self._all("select source, channel from audiences"):
            found.setdefault(source, set()).add(channel)
        return {source: frozenset(channels) for source, channels in found.items()}

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All of the block or nothing of it."""
        with self._one_at_a_time:
            self._db.execute("begin immediate")
            try:
                yield
            except BaseException:
                self._db.execute("rollback")
                raise
            self._db.execute("commit")

    def _all(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self._one_at_a_time:
            return self._db.execute(query, values).fetchall()

    def version(self) -> int:
        """A number that grows with every change, whichever process makes it."""
        return int(self.noted("version") or 0)

    def noted(self, key: str) -> str | None:
        """What was noted under this key."""
        found = self._all("select value from meta where key = ?", (key,))
        return found[0][0] if found else None

    def note(self, key: str, value: str) -> None:
        """Keep a value, such as what the articles were when they were last taken in."""
        with self._transaction():
            self._db.execute("insert or replace into meta values (?, ?)", (key, value))
            self._changed()

    def close(self) -> None:
        """Let go of the file."""
        with self._one_at_a_time:
            self._db.close()

    def documents(self, *, ours: bool) -> dict[str, str]:
        """Source to SHA-256 of our own articles, or of the team's documents."""
        found = self._all(
            f"select source, sha256 from documents where is_ours = ? and {self._visible} order by source",
            (ours, *self._to),
        )
        return dict(found)

    def put(  # noqa: PLR0913  what a document is made of
        self,
        source: str,
        sha256: str,
        passages: Sequence[Passage],
        vectors: Vectors | None = None,
        *,
        model_id: str = "",
        ours: bool = False,
        channels: frozenset[str] = frozenset(),
    ) -> list[int]:
        """Let a document consist of these passages from now on, for these channels or for everybody; the rows that
        have gone.

        A passage that was there before keeps its row and its vectors, unless it was for others.
        """
        with self._transaction():
            is_moved = self.audiences().get(source, frozenset()) != channels
            kept = set() if is_moved else {passage.id for passage in passages}
            old = self._all("select row, id from passages where source = ?", (source,))
            gone = [row for row, name in old if name not in kept]
            self._delete(gone)
            self._db.execute(
                "insert into documents values (?, ?, ?) on conflict (source) do update set sha256 = excluded.sha256",
                (source, sha256, ours),
            )
            self._db.execute("delete from audiences where source = ?", (source,))
            self._db.executemany(
                "insert into audiences values (?, ?)", [(source, channel) for channel in channels]
            )
            self._insert(passages)
            self._put_vectors(vectors or {}, model_id)
            self._changed()
        return gone

    def add(self, passages: Sequence[Passage], vectors: Vectors, model_id: str) -> None:
        """Add passages to the documents they name, in the place of those of the same id."""
        with self._transaction():
            self._delete([row for passage in passages for row in self._rows_where("id", passage.id)])
            for passage in passages:
                self._db.execute("insert or ignore into documents values (?, '', 0)", (passage.source,))
            self._insert(passages)
            self._put_vectors(vectors, model_id)
            self._changed()

    def remove(self, sources: Iterable[str]) -> list[int]:
        """Forget documents; the rows that have gone."""
        gone: list[int] = []
        with self._transaction():
            for source in sources:
                gone += self._rows_where("source", source)
                self._db.execute("delete from documents where source = ?", (source,))
            self._changed()
        return gone

    def delete(self, ids: Iterable[str]) -> list[int]:
        """Forget passages by id; the rows that have gone."""
        with self._transaction():
            gone = [row for name in ids for row in self._rows_where("id", name)]
            self._delete(gone)
            self._changed()
        return gone

    def _insert(self, passages: Sequence[Passage]) -> None:
        self._db.executemany(
            f"insert or ignore into passages ({_COLUMNS}) values ({_PLACES})", map(_columns, passages)
        )

    def _rows_where(self, column: Literal["source", "id"], value: str) -> list[int]:
        return [row for (row,) in self._all(f"select row from passages where {column} = ?", (value,))]

    def _delete(self, rows: Iterable[int]) -> None:
        self._db.executemany("delete from passages where row = ?", ((row,) for row in rows))

    def _changed(self) -> None:
        self._db.execute("update meta set value = value + 1 where key = 'version'")

    def put_vectors(self, vectors: Vectors, model_id: str) -> None:
        """Add the vectors of passages that had none of this model."""
        with self._transaction():
            self._put_vectors(vectors, model_id)
            self._changed()

    def _put_vectors(self, vectors: Vectors, model_id: str) -> None:
        self._db.executemany(
            "insert or ignore into vectors (row, model_id, vector) select row, ?, ? from passages where id = ?",
            ((model_id, vector.astype(np.float16).tobytes(), name) for name, vector in vectors.items()),
        )

    def drop_vectors_of_other_models(self, model_id: str) -> None:
        """Free the room of vectors that are not used any more."""
        with self._transaction():
            self._db.execute("delete from vectors where model_id <> ?", (model_id,))

    def without_vector(self, model_id: str, limit: int) -> list[Passage]:
        """Some passages that this model has not embedded yet."""
        found = self._all(
            f"select {_COLUMNS} from passages where not exists "
            "(select 1 from vectors where vectors.row = passages.row and model_id = ?) order by row limit ?",
            (model_id, limit),
        )
        return [_passage(row) for row in found]

    def n_without_vector(self, model_id: str) -> int:
        """How many passages this model has not embedded yet."""
        found = self._all(
            "select count(*) from passages where row not in (select row from vectors where model_id = ?) "
            f"and {self._visible}",
            (model_id, *self._to),
        )
        return int(found[0][0])

    def vectors_after(self, number: int, model_id: str) -> tuple[NDArray[np.int64], Matrix, int]:
        """Rows and vectors added after the vector of this number, and the number of the last."""
        found = self._all(
            "select number, row, vector from vectors where number > ? and model_id = ? "
            f"{self._of_visible_rows} order by number",
            (number, model_id, *self._to),
        )
        rows = np.array([row for _, row, _ in found], dtype=np.int64)
        last = found[-1][0] if found else number
        return rows, _matrix([vector for _, _, vector in found]), last

    @property
    def _of_visible_rows(self) -> str:
        if self._audience == EVERYTHING:
            return ""
        return f"and row in (select row from passages where {self._visible})"

    def vectors_at(self, rows: Sequence[int], model_id: str) -> Matrix:
        """The vectors of these rows that there are, in any order."""
        found = self._all(
            f"select vector from vectors where model_id = ? and row in ({', '.join('?' * len(rows))}) "
            f"{self._of_visible_rows}",
            (model_id, *rows, *self._to),
        )
        return _matrix([vector for (vector,) in found])

    def dimensions(self, model_id: str) -> int:
        """The length of this model's vectors, 0 while there is none."""
        found = self._all("select vector from vectors where model_id = ? limit 1", (model_id,))
        return int(_matrix([vector for (vector,) in found]).shape[1])

    def articles(self, model_id: str) -> tuple[list[Passage], Matrix]:
        """Passages of our own articles with their vectors, as far as this model has embedded them."""
        found = self._all(
            f"select {_COLUMNS}, vector from passages join vectors using (row) "
            "where model_id = ? and source in (select source from documents where is_ours) order by row",
            (model_id,),
        )
        return [_passage(row[:-1]) for row in found], _matrix([row[-1] for row in found])

    def after(self, row: int, limit: int) -> dict[int, Passage]:
        """The next passages after a row, by row."""
        found = self._all(
            f"select row, {_COLUMNS} from passages where row > ? and {self._visible} order by row limit ?",
            (row, *self._to, limit),
        )
        return {row: _passage(rest) for row, *rest in found}

    def at(self, rows: Iterable[int]) -> dict[int, Passage]:
        """The passages at these rows that are still there."""
        wanted = list(rows)
        found: dict[int, Passage] = {}
        for start in range(0, len(wanted), _MOST_VARIABLES):
            some = wanted[start : start + _MOST_VARIABLES]
            places = ", ".join("?" * len(some))
            for row, *rest in self._all(
                f"select row, {_COLUMNS} from passages where row in ({places}) and {self._visible}",
                (*some, *self._to),
            ):
                found[row] = _passage(rest)
        return found

    def with_ids(self, ids: Sequence[str]) -> list[Passage]:
        """The passages of these ids that are still there."""
        return list(self.at(row for name in ids for row in self._rows_where("id", name)).values())

    def ids(self) -> list[str]:
        """The ids of all passages."""
        return [name for (name,) in self._all(f"select id from passages where {self._visible}", self._to)]

    def known(self, ids: Iterable[str]) -> set[str]:
        """Those of the ids that are there."""
        return {name for name in ids if self._rows_where("id", name)}

    def last_row(self) -> int:
        """The newest row, 0 when there is none."""
        return int(
            self._all(f"select coalesce(max(row), 0) from passages where {self._visible}", self._to)[0][0]
        )

    def counts(self) -> dict[str, int]:
        """How many passages there are in each language."""
        return dict(
            self._all(
                f"select language, count(*) from passages where {self._visible} group by language", self._to
            )
        )


def _columns(passage: Passage) -> list[str | None]:
    return ["\n".join(value) if isinstance(value, tuple) else value for value in astuple(passage)]


def _passage(columns: Sequence[Any]) -> Passage:
    fields = dict(zip(_NAMES, columns, strict=True))
    return Passage(**{**fields, "asks": tuple(fields["asks"].splitlines())})


def _matrix(blobs: Sequence[bytes]) -> Matrix:
    if not blobs:
        return np.zeros((0, 0), np.float32)
    return normalised(np.frombuffer(b"".join(blobs), np.float16).reshape(len(blobs), -1))
