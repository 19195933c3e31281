"""Rows of the measurements table: figures of finished jobs go in, evidence for the next answer comes out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from sqlalchemy import Engine, RowMapping, select
from sqlalchemy.dialects import postgresql, sqlite

from index.records import Measurement
from index.schema import measurements as table


def record(engine: Engine, measurements: Iterable[Measurement]) -> int:
    """Store what is not stored yet and return how many rows that were.

    A row is known by its job, model, adapter, quantization and metric: publishing twice changes nothing.
    """
    insert = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert
    with engine.begin() as connection:
        rows = (insert(table).values(_to_row(measurement)) for measurement in measurements)
        # Returned, not counted by the driver: psycopg says -1.
        news = (connection.execute(row.on_conflict_do_nothing().returning(table.c.id)) for row in rows)
        return sum(len(new.all()) for new in news)


def find(
    engine: Engine,
    *,
    task: str | None = None,
    model_id: str | None = None,
    dataset_sha256: str | None = None,
) -> list[Measurement]:
    """The measurements that fit every condition stated, newest first."""
    wanted = {"task": task, "model_id": model_id, "dataset_sha256": dataset_sha256}
    conditions = [table.c[name] == value for name, value in wanted.items() if value is not None]
    query = select(table).where(*conditions).order_by(table.c.created_at_utc.desc(), table.c.id.desc())
    with engine.connect() as connection:
        return [_from_row(row) for row in connection.execute(query).mappings()]


def _to_row(measurement: Measurement) -> dict[str, Any]:
    return asdict(measurement) | {"adapter": measurement.adapter or ""}


def _from_row(row: RowMapping) -> Measurement:
    values = {name: value for name, value in row.items() if name != "id"}
    return Measurement(**values | {"adapter": row["adapter"] or None})
