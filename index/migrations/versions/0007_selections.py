"""Races of base models: what was asked, how each ended, and what was predicted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "selections",
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=True),
        sa.Column("dedupe_key", sa.String(255), nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("thread", sa.String(255)),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("outcome", sa.JSON()),
        sa.Column("created_at_utc", sa.String(32), nullable=False),
        sa.Column("ended_at_utc", sa.String(32)),
        sa.PrimaryKeyConstraint("id", name="pk_selections"),
        sa.UniqueConstraint("dedupe_key", name="uq_selections_dedupe_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_selections_state", "selections", ["state"])
