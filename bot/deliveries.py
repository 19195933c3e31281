"""Turn "seen before?" into one row with a UNIQUE key, so that it holds across replicas and restarts.

Slack delivers an event again when it doubts the first delivery, and a mention arrives twice under two event
ids. Channel and timestamp name the message itself, so both cases share one key.
"""

from __future__ import annotations

from sqlalchemy import Engine, delete, insert, select
from sqlalchemy.exc import IntegrityError

from index.schema import deliveries
from index.store import utc_now


def claim(engine: Engine, key: str) -> bool:
    """Return True for the first caller with this key, ever; False for all others."""
    row = insert(deliveries).values(key=key, received_at_utc=utc_now())
    try:
        with engine.begin() as connection:
            connection.execute(row)
    except IntegrityError:
        return False
    return True


def claimed_at_utc(engine: Engine, key: str) -> str | None:
    """When somebody claimed the key; None when nobody has."""
    query = select(deliveries.c.received_at_utc).where(deliveries.c.key == key)
    with engine.connect() as connection:
        return connection.execute(query).scalar()


def release(engine: Engine, key: str) -> None:
    """Give a claim back, because what it stood for did not happen."""
    with engine.begin() as connection:
        connection.execute(delete(deliveries).where(deliveries.c.key == key))


def is_claimed(engine: Engine, key: str) -> bool:
    """True when somebody has claimed the key."""
    with engine.connect() as connection:
        return connection.execute(select(deliveries.c.key).where(deliveries.c.key == key)).first() is not None
