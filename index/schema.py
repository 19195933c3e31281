"""The tables of the one store. Every package reads and writes only its own; one file, one migration history.

index: measurements, audit · finetune: jobs, job_events, workers, leases, selections · skills: turns, defaults
bot: deliveries, inbox, feedback, job_cards, launches, slack_*, grants, quotas
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
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
    # Dollars that hosted models took, as the recipe counted them; NULL where it asked none, or has not ended.
    Column("spent_usd", Float),
    # The request that it was started by, so that log lines and audit rows of both can be put together.
    Column("request_id", String(32)),
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

selections = Table(
    "selections",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("dedupe_key", String(255), nullable=False, unique=True),
    Column("spec", JSON, nullable=False),
    Column("owner", String(64), nullable=False),
    Column("thread", String(255)),
    # running, ended or cancelled. Its runs are jobs, found by their keys: `selection:ID:SIZE:PLACE`.
    Column("state", String(16), nullable=False, index=True),
    # Written once, at the end: what was predicted must not change afterwards.
    Column("outcome", JSON),
    Column("created_at_utc", String(32), nullable=False),
    Column("ended_at_utc", String(32)),
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

defaults = Table(
    "defaults",
    metadata,
    # A team, or a channel of it as "team:channel".
    Column("scope", String(128), primary_key=True),
    Column("stated", JSON, nullable=False),
    Column("changed_by", String(64), nullable=False),
    Column("changed_at_utc", String(32), nullable=False),
)

inbox = Table(
    "inbox",
    metadata,
    # The key of the delivery: channel and time name the message itself.
    Column("key", String(255), primary_key=True),
    Column("thread", String(255), nullable=False),
    Column("person", String(64), nullable=False),
    # Slack's time of the message: its order in the thread.
    Column("ts", String(32), nullable=False),
    # What was said and where, until it is answered; then nothing of it is kept.
    Column("event", JSON, nullable=False),
    # waiting, taken, posting, done, dropped
    Column("state", String(16), nullable=False),
    Column("worker", String(64)),
    Column("exchange", Integer),
    # The messages that answer it, so that an edit of the question can correct them.
    Column("answers", JSON, nullable=False),
    Column("received_at_utc", String(32), nullable=False),
    Column("taken_at_utc", String(32)),
    Index("ix_inbox_thread", "thread", "state", "ts"),
    Index("ix_inbox_state", "state", "taken_at_utc"),
    Index("ix_inbox_person", "person", "received_at_utc"),
)

feedback = Table(
    "feedback",
    metadata,
    Column("exchange", Integer, ForeignKey("turns.id"), primary_key=True),
    Column("person", String(64), primary_key=True),
    # 1 or -1
    Column("vote", Integer, nullable=False),
    Column("reason", Text),
    Column("given_at_utc", String(32), nullable=False),
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

launches = Table(
    "launches",
    metadata,
    # That of the form, or of the message: the job gets it as its dedupe_key.
    Column("key", String(255), primary_key=True),
    Column("spec", JSON, nullable=False),
    Column("terms", JSON, nullable=False),
    Column("owner", String(64), nullable=False),
    Column("thread", String(255)),
    # Where the card belongs.
    Column("team", String(64), nullable=False),
    Column("channel", String(64), nullable=False),
    Column("thread_ts", String(32)),
    Column("language", String(2), nullable=False),
    # draft: a form was filled in. asked: an approver has to say. approved, declined: one said.
    Column("state", String(16), nullable=False),
    Column("decided_by", String(64)),
    Column("created_at_utc", String(32), nullable=False),
)


def _installed() -> list[Column[object]]:
    """What slack_sdk's stores keep of a workspace, with room for tokens that are encrypted."""
    return [
        Column("client_id", String(32), nullable=False),
        Column("app_id", String(32), nullable=False),
        Column("enterprise_id", String(32)),
        Column("enterprise_name", String(200)),
        Column("team_id", String(32)),
        Column("team_name", String(200)),
        Column("bot_token", String(1000)),
        Column("bot_id", String(32)),
        Column("bot_user_id", String(32)),
        Column("bot_scopes", String(1000)),
        Column("bot_refresh_token", String(1000)),
        Column("bot_token_expires_at", DateTime),
    ]


slack_bots = Table(
    "slack_bots",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    *_installed(),
    Column("is_enterprise_install", Boolean, nullable=False),
    Column("installed_at", DateTime, nullable=False),
    Index("slack_bots_idx", "client_id", "enterprise_id", "team_id", "installed_at"),
)

slack_installations = Table(
    "slack_installations",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    *_installed(),
    Column("enterprise_url", String(200)),
    Column("user_id", String(32), nullable=False),
    Column("user_token", String(1000)),
    Column("user_scopes", String(1000)),
    Column("user_refresh_token", String(1000)),
    Column("user_token_expires_at", DateTime),
    Column("incoming_webhook_url", String(200)),
    Column("incoming_webhook_channel", String(200)),
    Column("incoming_webhook_channel_id", String(200)),
    Column("incoming_webhook_configuration_url", String(200)),
    Column("token_type", String(32)),
    Column("is_enterprise_install", Boolean, nullable=False),
    Column("installed_at", DateTime, nullable=False),
    Index("slack_installations_idx", "client_id", "enterprise_id", "team_id", "user_id", "installed_at"),
)

slack_oauth_states = Table(
    "slack_oauth_states",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("state", String(200), nullable=False),
    Column("expire_at", DateTime, nullable=False),
)

# Rows are only ever added: triggers refuse UPDATE and DELETE.
audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at_utc", String(32), nullable=False),
    Column("person", String(64), nullable=False),
    Column("surface", String(16), nullable=False),
    Column("channel", String(64)),
    Column("request_id", String(32)),
    Column("action", String(32), nullable=False),
    Column("subject", String(255), nullable=False),
    Column("decision", String(8), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Index("ix_audit_person", "person", "id"),
    sqlite_autoincrement=True,
)

grants = Table(
    "grants",
    metadata,
    # Slack user, user group or channel; os:NAME; * for everybody.
    Column("subject", String(64), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("granted_by", String(64), nullable=False),
    Column("granted_at_utc", String(32), nullable=False),
)

quotas = Table(
    "quotas",
    metadata,
    Column("subject", String(64), primary_key=True),
    # A month's; NULL for no limit.
    Column("gpu_minutes", Float),
    Column("usd", Float),
    Column("set_by", String(64), nullable=False),
    Column("set_at_utc", String(32), nullable=False),
)
