"""Who may do what, and what was done: grants, quotas, an audit trail that cannot be edited; what a job spent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_REFUSED = "the audit trail is append-only"


def upgrade() -> None:
    """Apply."""
    op.add_column("jobs", sa.Column("spent_usd", sa.Float()))
    op.add_column("jobs", sa.Column("request_id", sa.String(32)))
    _create_grants()
    _create_audit()
    if op.get_bind().dialect.name == "sqlite":
        _protect_in_sqlite()
    else:
        _protect_in_postgresql()


def _create_grants() -> None:
    op.create_table(
        "grants",
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("granted_by", sa.String(64), nullable=False),
        sa.Column("granted_at_utc", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("subject", name="pk_grants"),
    )
    op.create_table(
        "quotas",
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("gpu_minutes", sa.Float()),
        sa.Column("usd", sa.Float()),
        sa.Column("set_by", sa.String(64), nullable=False),
        sa.Column("set_at_utc", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("subject", name="pk_quotas"),
    )


def _create_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=True),
        sa.Column("at_utc", sa.String(32), nullable=False),
        sa.Column("person", sa.String(64), nullable=False),
        sa.Column("surface", sa.String(16), nullable=False),
        sa.Column("channel", sa.String(64)),
        sa.Column("request_id", sa.String(32)),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("decision", sa.String(8), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("previous_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_person", "audit", ["person", "id"])


def _protect_in_sqlite() -> None:
    """REPLACE deletes without DELETE triggers unless recursive ones are on, so an id that is there is refused too."""
    for event in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER audit_no_{event.lower()} BEFORE {event} ON audit "
            f"BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END"
        )
    op.execute(
        "CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit "
        "WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id) "
        "BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END"
    )


def _protect_in_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_REFUSED}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON audit "
        "FOR EACH ROW EXECUTE FUNCTION audit_refuse()"
    )
    op.execute(
        "CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()"
    )
