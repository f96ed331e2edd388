"""realtime

Revision: 0007
After: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def _name() -> sa.String:
    return sa.String(length=97).with_variant(sa.String(length=97, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "realtime_channels",
        sa.Column("name", _name(), nullable=False),
        sa.Column("last_id", sa.BigInteger(), nullable=False),
        sa.Column("presence_version", sa.BigInteger(), nullable=False),
        sa.Column("access_version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_realtime_channels")),
    )
    op.create_table(
        "realtime_events",
        sa.Column("channel", _name(), nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("event", sa.String(length=64), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("sender_id", sa.Uuid(), nullable=True),
        sa.Column("key", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("channel", "id", name=op.f("pk_realtime_events")),
        sa.UniqueConstraint("channel", "key", name=op.f("uq_realtime_events_channel_key")),
    )
    for column in ("sender_id", "expires_at"):
        op.create_index(
            f"ix_realtime_events_{column}",
            "realtime_events",
            [column],
            postgresql_where=sa.text(f"{column} IS NOT NULL"),
            sqlite_where=sa.text(f"{column} IS NOT NULL"),
        )
    op.create_table(
        "realtime_nodes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("beats", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_realtime_nodes")),
    )
    op.create_table(
        "realtime_sockets",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("node_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("label", sa.String(length=64), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('socket', 'stream', 'lobby')", name=op.f("ck_realtime_sockets_kind")),
        sa.ForeignKeyConstraint(
            ["node_id"], ["realtime_nodes.id"], name=op.f("fk_realtime_sockets_node_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_realtime_sockets")),
        sa.UniqueConstraint("user_id", "slot", name=op.f("uq_realtime_sockets_user_id_slot")),
    )
    op.create_index(op.f("ix_realtime_sockets_node_id"), "realtime_sockets", ["node_id"])
    op.create_table(
        "realtime_presence",
        sa.Column("channel", _name(), nullable=False),
        sa.Column("socket_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["socket_id"], ["realtime_sockets.id"], name=op.f("fk_realtime_presence_socket_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("channel", "socket_id", name=op.f("pk_realtime_presence")),
    )
    op.create_index(op.f("ix_realtime_presence_socket_id"), "realtime_presence", ["socket_id"])


def downgrade() -> None:
    op.drop_table("realtime_presence")
    op.drop_table("realtime_sockets")
    op.drop_table("realtime_nodes")
    op.drop_table("realtime_events")
    op.drop_table("realtime_channels")
