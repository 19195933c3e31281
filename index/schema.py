"""The tables of the one store. Every package reads and writes only its own; one file, one migration history.

index: measurements · finetune: jobs, job_events, workers, leases · skills: turns · bot: deliveries, job_cards
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

measurements = Table(
    "measurements",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("job_id", String(32), nullable=False, index=True),
    Column("model_id", String(255), nullable=False, index=True),
    # "" for none, not NULL: two NULLs are different to a UNIQUE constraint.
    Column("adapter", String(255), nullable=False),
    Column("quantization", String(16), nullable=False),
    Column("task", String(64), nullable=False),
    Column("metric", String(64), nullable=False),
    Column("value", Float, nullable=False),
    Column("ci95_low", Float),
    Column("ci95_high", Float),
    Column("n_items", Integer, nullable=False),
    Column("dataset_name", String(255), nullable=False),
    Column("dataset_sha256", String(64), nullable=False),
    Column("tokens_per_s", Float),
    Column("latency_p50_s", Float),
    Column("peak_memory_gib", Float),
    Column("device", String(255), nullable=False),
    Column("environment", JSON, nullable=False),
    Column("created_at_utc", String(32), nullable=False),
    UniqueConstraint(
        "job_id",
        "model_id",
        "adapter",
        "quantization",
        "metric",
        name="uq_measurements_row",
    ),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("dedupe_key", String(255), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),
    Column("spec", JSON, nullable=False),
    Column("owner", String(64), nullable=False),
    Column("thread", String(255)),
    Column("state", String(16), nullable=False, index=True),
    Column("reason", JSON),
    Column("attempts", Integer, nullable=False, default=0),
    # What it may take: terms are not part of the spec, because they change no figure.
    Column("priority", Integer, nullable=False, default=0),
    Column("gpus", Integer, nullable=False, default=1),
    Column("memory_gib", Float),
    Column("max_hours", Float),
    # Who has it in hand: NULL while it waits for a device. Only that worker may write below.
    Column("worker", String(64), index=True),
    # The number of the grant that it runs under, counted over all jobs: who was served longest ago is seen by it.
    Column("turn", Integer, nullable=False, default=0, index=True),
    Column("ran_s", Float, nullable=False, default=0.0),
    Column("child_pid", Integer),
    Column("child_started_s", Float),
    Column("events_offset", Integer, nullable=False, default=0),
    Column("created_at_utc", String(32), nullable=False),
    Column("started_at_utc", String(32)),
    Column("ended_at_utc", String(32)),
    Index("ix_jobs_waiting", "state", "worker", "priority", "owner", "id", "gpus", "memory_gib"),
    Index("ix_jobs_owner", "owner", "id"),
    Index("ix_jobs_spent", "owner", "ran_s", "gpus"),
    Index("ix_jobs_served", "owner", "turn"),
    sqlite_autoincrement=True,
)

workers = Table(
    "workers",
    metadata,
    Column("id", String(64), primary_key=True),
    # A new one at every start: who was replaced under its own id finds another one here.
    Column("session", String(32), nullable=False),
    Column("host", String(255), nullable=False),
    Column("pid", Integer, nullable=False),
    # The process numbers that `pid` belongs to: a machine may have several such spaces (containers).
    Column("space", String(255), nullable=False),
    Column("home", Text, nullable=False),
    Column("devices", JSON, nullable=False),
    # Counted, not timed: whether it moves can be seen without two clocks that agree.
    Column("beats", Integer, nullable=False),
    Column("seen_at_utc", String(32), nullable=False),
)

leases = Table(
    "leases",
    metadata,
    # The key makes a second lease of one device impossible, whoever asks.
    Column("device", String(255), primary_key=True),
    Column("job_id", Integer, ForeignKey("jobs.id"), nullable=False, index=True),
    Column("worker", String(64), nullable=False, index=True),
    Column("name", String(64), nullable=False),
    Column("visible", String(64), nullable=False),
    Column("taken_at_utc", String(32), nullable=False),
)

job_events = Table(
    "job_events",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("job_id", Integer, ForeignKey("jobs.id"), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("data", JSON, nullable=False),
    Column("at_utc", String(32), nullable=False),
    Index("ix_job_events_job", "job_id", "id"),
    sqlite_autoincrement=True,
)

turns = Table(
    "turns",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("thread", String(255), nullable=False, index=True),
    Column("person", String(64), nullable=False),
    Column("text", Text, nullable=False),
    Column("request", JSON, nullable=False),
    Column("answer", JSON, nullable=False),
    Column("created_at_utc", String(32), nullable=False),
    sqlite_autoincrement=True,
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("key", String(255), primary_key=True),
    Column("received_at_utc", String(32), nullable=False),
)

job_cards = Table(
    "job_cards",
    metadata,
    Column("job_id", Integer, ForeignKey("jobs.id"), primary_key=True),
    Column("channel", String(64), nullable=False),
    Column("thread_ts", String(32)),
    Column("message_ts", String(32), nullable=False),
    Column("language", String(2), nullable=False),
    Column("cursor", Integer, nullable=False, default=0),
    Column("finished", Integer, nullable=False, default=0),
)
