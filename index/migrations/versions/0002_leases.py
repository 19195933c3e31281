"""Who runs what: terms, holder and running time of a job; workers with their pulse; one lease a device."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    _extend_jobs()
    op.create_table(
        "workers",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("session", sa.String(32), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("space", sa.String(255), nullable=False),
        sa.Column("home", sa.Text(), nullable=False),
        sa.Column("devices", sa.JSON(), nullable=False),
        sa.Column("beats", sa.Integer(), nullable=False),
        sa.Column("seen_at_utc", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workers"),
    )
    op.create_table(
        "leases",
        sa.Column("device", sa.String(255), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("worker", sa.String(64), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("visible", sa.String(64), nullable=False),
        sa.Column("taken_at_utc", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("device", name="pk_leases"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_leases_job_id"),
    )
    op.create_index("ix_leases_job_id", "leases", ["job_id"])
    op.create_index("ix_leases_worker", "leases", ["worker"])


def _extend_jobs() -> None:
    """Columns are added one by one: rewriting the table would drop the rows that refer to it."""
    for column in (
        sa.Column("priority", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("gpus", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("memory_gib", sa.Float()),
        sa.Column("max_hours", sa.Float()),
        sa.Column("worker", sa.String(64)),
        sa.Column("turn", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("ran_s", sa.Float(), nullable=False, server_default="0"),
    ):
        op.add_column("jobs", column)
    op.create_index("ix_jobs_worker", "jobs", ["worker"])
    op.create_index("ix_jobs_turn", "jobs", ["turn"])
    waiting = ["state", "worker", "priority", "owner", "id", "gpus", "memory_gib"]
    op.create_index("ix_jobs_waiting", "jobs", waiting)
    op.create_index("ix_jobs_owner", "jobs", ["owner", "id"])
    op.create_index("ix_jobs_spent", "jobs", ["owner", "ran_s", "gpus"])
    op.create_index("ix_jobs_served", "jobs", ["owner", "turn"])
