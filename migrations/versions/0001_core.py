"""The tables of the kit: audit, idempotency, rate limits, events, jobs and mail."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


APPEND_ONLY = {
    # table and event: what may be done all the same
    ("audit_inbox", "UPDATE"): "",
    ("audit_inbox", "DELETE"): "EXISTS (SELECT 1 FROM audit_events AS taken WHERE taken.id = OLD.id)",
    ("audit_events", "UPDATE"): "",
    ("audit_events", "DELETE"): (
        "EXISTS (SELECT 1 FROM audit_segments AS owner WHERE owner.stream = OLD.stream"
        " AND owner.number = OLD.segment AND owner.dropped_at IS NOT NULL)"
    ),
    ("audit_segments", "DELETE"): "",
    ("audit_segments", "UPDATE"): (
        "OLD.stream = NEW.stream AND OLD.number = NEW.number AND OLD.first_seq = NEW.first_seq"
        " AND OLD.previous_hash = NEW.previous_hash AND OLD.started_at = NEW.started_at AND OLD.dropped_at IS NULL"
        " AND ((OLD.sealed_at IS NULL AND NEW.dropped_at IS NULL AND OLD.last_seq <= NEW.last_seq"
        " AND OLD.ended_at <= NEW.ended_at)"
        " OR (OLD.sealed_at = NEW.sealed_at AND OLD.last_seq = NEW.last_seq AND OLD.last_hash = NEW.last_hash"
        " AND OLD.ended_at = NEW.ended_at))"
    ),
}
"""What the triggers of the audit log refuse, and what they do not."""
REPLACEABLE_BY = {
    "audit_inbox_by_id": "id = NEW.id",
    "audit_inbox_by_rowid": "rowid = NEW.rowid",
    "audit_events_by_id": "id = NEW.id",
    "audit_events_by_place": "stream = NEW.stream AND seq = NEW.seq",
    "audit_events_by_rowid": "rowid = NEW.rowid",
    "audit_segments_by_place": "stream = NEW.stream AND number = NEW.number",
    "audit_segments_by_rowid": "rowid = NEW.rowid",
}
"""All by which a row of SQLite can be in the way of another, by the trigger that refuses it."""


def _recorded() -> list[sa.Column[Any]]:
    return [
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("subject_id", sa.Uuid(), nullable=True),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("address", sa.String(length=64), nullable=True),
        sa.Column("user_agent", sa.String(length=255), nullable=True),
        sa.Column("request_id", sa.String(length=64), nullable=True),
        sa.Column("client_request_id", sa.String(length=64), nullable=True),
        sa.Column("details", sa.JSON(), nullable=False),
    ]


def _create_audit_tables() -> None:
    op.create_table("audit_inbox", *_recorded(), sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_inbox")))
    op.create_table(
        "audit_events",
        *_recorded(),
        sa.Column("stream", sa.String(length=16), nullable=False),
        sa.Column("segment", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_events")),
        sa.UniqueConstraint("stream", "seq", name=op.f("uq_audit_events_stream_seq")),
    )
    op.create_index(op.f("ix_audit_events_created_at_id"), "audit_events", ["created_at", "id"])
    for column in ("subject_id", "actor_id", "kind", "address"):
        op.create_index(op.f(f"ix_audit_events_{column}_created_at_id"), "audit_events", [column, "created_at", "id"])
    op.create_table(
        "audit_segments",
        sa.Column("stream", sa.String(length=16), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("first_seq", sa.BigInteger(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("last_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dropped_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("stream", "number", name=op.f("pk_audit_segments")),
    )
    if op.get_bind().dialect.name == "sqlite":
        _refuse_on_sqlite()
    else:
        _refuse_on_postgresql()


def _refuse_on_sqlite() -> None:
    for (table, event), allowed in APPEND_ONLY.items():
        op.execute(
            f"CREATE TRIGGER {table}_{event.lower()} BEFORE {event} ON {table}"
            f" WHEN NOT coalesce({allowed or 'false'}, false) BEGIN SELECT RAISE(ABORT, '{table} is append only'); END"
        )
    for name, key in REPLACEABLE_BY.items():  # INSERT OR REPLACE deletes without a trigger
        table = name.rpartition("_by_")[0]
        op.execute(
            f"CREATE TRIGGER {name} BEFORE INSERT ON {table} WHEN EXISTS (SELECT 1 FROM {table} WHERE {key})"  # noqa: S608 - the names above
            f" BEGIN SELECT RAISE(ABORT, '{table} is append only'); END"
        )


def _refuse_on_postgresql() -> None:
    for (table, event), allowed in APPEND_ONLY.items():
        name, row = f"{table}_{event.lower()}", "OLD" if event == "DELETE" else "NEW"
        op.execute(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" IF {allowed or 'false'} THEN RETURN {row}; END IF;"
            f" RAISE EXCEPTION '{table} is append only' USING ERRCODE = 'restrict_violation'; END $$"
        )
        op.execute(f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()")
    for table, refuses in (("audit_inbox", "update"), ("audit_events", "update"), ("audit_segments", "delete")):
        op.execute(
            f"CREATE TRIGGER {table}_truncate BEFORE TRUNCATE ON {table}"
            f" FOR EACH STATEMENT EXECUTE FUNCTION {table}_{refuses}()"
        )


def upgrade() -> None:
    _create_audit_tables()
    op.create_table(
        "breaking_migrations",
        sa.Column("revision", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("revision", name=op.f("pk_breaking_migrations")),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("headers", sa.LargeBinary(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("location", sa.String(length=200), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_idempotency_keys")),
    )
    is_located = sa.text("location IS NOT NULL")
    op.create_index(
        "ix_idempotency_keys_location",
        "idempotency_keys",
        ["location"],
        postgresql_where=is_located,
        sqlite_where=is_located,
    )
    op.create_index(op.f("ix_idempotency_keys_created_at"), "idempotency_keys", ["created_at"])
    op.create_table(
        "rate_limits",
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("hits", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_rate_limits")),
    )
    op.create_index(op.f("ix_rate_limits_expires_at"), "rate_limits", ["expires_at"])
    op.create_table(
        "events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=100), nullable=False),
        sa.Column("aggregate_type", sa.String(length=100), nullable=False),
        sa.Column("aggregate_id", sa.Uuid(), nullable=False),
        sa.Column("aggregate_version", sa.BigInteger(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("listeners", sa.Text(), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )
    op.create_index(op.f("ix_events_created_at_id"), "events", ["created_at", "id"])
    op.create_index(op.f("ix_events_kind_position_id"), "events", ["kind", "position", "id"])
    op.create_index(op.f("ix_events_position_id"), "events", ["position", "id"])
    if op.get_bind().dialect.name == "postgresql":  # `app db restore` replaces it
        op.execute("CREATE FUNCTION events_offset() RETURNS bigint IMMUTABLE LANGUAGE sql AS 'SELECT 0::bigint'")
    op.create_table(
        "jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=True),
        sa.Column("owner", sa.String(length=64), nullable=True),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("losses", sa.Integer(), nullable=False),
        sa.Column("run_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("claim", sa.Uuid(), nullable=True),
        sa.Column("beats", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("worker", sa.String(length=100), nullable=True),
        sa.Column("request_id", sa.String(length=64), nullable=True),
        sa.Column("trace_context", sa.String(length=568), nullable=True),
        sa.Column("error_kind", sa.String(length=100), nullable=True),
        sa.Column("error", sa.String(length=1000), nullable=True),
        sa.CheckConstraint(
            "status IN ('pending', 'running', 'succeeded', 'failed', 'cancelled')", name=op.f("ck_jobs_status")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
    op.create_index(op.f("ix_jobs_created_at_id"), "jobs", ["created_at", "id"])
    op.create_index(
        "ix_jobs_failed",
        "jobs",
        ["name", "id"],
        postgresql_where=sa.text("status = 'failed'"),
        sqlite_where=sa.text("status = 'failed'"),
    )
    op.create_index(
        "ix_jobs_finished_at",
        "jobs",
        ["finished_at"],
        postgresql_where=sa.text("finished_at IS NOT NULL"),
        sqlite_where=sa.text("finished_at IS NOT NULL"),
    )
    op.create_index(
        "ix_jobs_live_key",
        "jobs",
        ["name", "key"],
        unique=True,
        postgresql_where=sa.text("key IS NOT NULL AND status IN ('pending', 'running')"),
        sqlite_where=sa.text("key IS NOT NULL AND status IN ('pending', 'running')"),
    )
    op.create_index(op.f("ix_jobs_name_created_at_id"), "jobs", ["name", "created_at", "id"])
    op.create_index(
        "ix_jobs_pending",
        "jobs",
        ["run_at", "id"],
        postgresql_where=sa.text("status = 'pending'"),
        sqlite_where=sa.text("status = 'pending'"),
    )
    op.create_index(
        "ix_jobs_pending_name",
        "jobs",
        ["name", "run_at"],
        postgresql_where=sa.text("status = 'pending'"),
        sqlite_where=sa.text("status = 'pending'"),
    )
    op.create_index(
        "ix_jobs_running",
        "jobs",
        ["name", "id"],
        postgresql_where=sa.text("status = 'running'"),
        sqlite_where=sa.text("status = 'running'"),
    )
    op.create_table(
        "job_schedules",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("spec", sa.String(length=100), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_job_schedules")),
    )
    op.create_table(
        "mails",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("business_id", sa.String(length=128), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("topic", sa.String(length=32), nullable=True),
        sa.Column("to_address", sa.String(length=254), nullable=False),
        sa.Column("locale", sa.String(length=10), nullable=False),
        sa.Column("template", sa.String(length=64), nullable=False),
        sa.Column("context", sa.JSON(), nullable=False),
        sa.Column("secrets", sa.LargeBinary(), nullable=True),
        sa.Column("has_secrets", sa.Boolean(), nullable=False),
        sa.Column("message_id", sa.String(length=255), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("retries", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.String(length=500), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('pending', 'succeeded', 'failed', 'bounced', 'cancelled', 'skipped')",
            name=op.f("ck_mails_status"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mails")),
        sa.UniqueConstraint("kind", "business_id", name=op.f("uq_mails_kind_business_id")),
    )
    op.create_index(op.f("ix_mails_created_at"), "mails", ["created_at"])
    op.create_index(op.f("ix_mails_message_id"), "mails", ["message_id"])
    op.create_index(op.f("ix_mails_status_id"), "mails", ["status", "id"])
    op.create_index(op.f("ix_mails_user_id"), "mails", ["user_id"])


def downgrade() -> None:
    for table in (
        "mails",
        "job_schedules",
        "jobs",
        "events",
        "rate_limits",
        "idempotency_keys",
        "audit_segments",
        "audit_events",
        "audit_inbox",
        "breaking_migrations",
    ):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION events_offset()")
        for table, event in APPEND_ONLY:
            op.execute(f"DROP FUNCTION {table}_{event.lower()}()")
