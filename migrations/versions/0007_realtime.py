"""The tables of realtime: channels, events, processes and presence; rooms, members, invitations and tickets."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

IS_LISTED = sa.text("visibility = 'public' AND closed_at IS NULL")


def _name() -> sa.String:
    return sa.String(length=97).with_variant(sa.String(length=97, collation="C"), "postgresql")


def upgrade() -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    op.create_table(
        "rooms",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=64, collation="C" if is_postgresql else None), nullable=False),
        sa.Column("title", sa.String(length=255), nullable=True),
        sa.Column("search_text", sa.Text(), nullable=False),
        sa.Column("visibility", sa.String(length=16), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("owner_id", sa.Uuid(), nullable=True),
        sa.Column("creator_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_rooms_owner_id"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["creator_id"], ["users.id"], name=op.f("fk_rooms_creator_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rooms")),
    )
    op.create_index("ix_rooms_name", "rooms", ["name"], unique=True, postgresql_where=IS_LISTED, sqlite_where=IS_LISTED)
    op.create_index(op.f("ix_rooms_owner_id"), "rooms", ["owner_id"], unique=False)
    op.create_index(op.f("ix_rooms_creator_id_created_at"), "rooms", ["creator_id", "created_at"], unique=False)
    op.create_index(op.f("ix_rooms_created_at_id"), "rooms", ["created_at", "id"], unique=False)
    op.create_index(op.f("ix_rooms_updated_at_id"), "rooms", ["updated_at", "id"], unique=False)

    op.create_table(
        "room_members",
        sa.Column("room_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("joined_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name=op.f("fk_room_members_room_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_room_members_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("room_id", "user_id", name=op.f("pk_room_members")),
    )
    op.create_index(
        op.f("ix_room_members_room_id_joined_at_user_id"),
        "room_members",
        ["room_id", "joined_at", "user_id"],
        unique=False,
    )
    op.create_index(op.f("ix_room_members_user_id"), "room_members", ["user_id"], unique=False)

    op.create_table(
        "room_invitations",
        sa.Column("room_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("invited_by", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["room_id"], ["rooms.id"], name=op.f("fk_room_invitations_room_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_room_invitations_user_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["invited_by"], ["users.id"], name=op.f("fk_room_invitations_invited_by"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("room_id", "user_id", name=op.f("pk_room_invitations")),
    )
    for columns in (["room_id", "created_at", "user_id"], ["user_id"], ["invited_by"]):
        op.create_index(op.f(f"ix_room_invitations_{'_'.join(columns)}"), "room_invitations", columns, unique=False)

    op.create_table(
        "realtime_tickets",
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_realtime_tickets")),
    )
    op.create_index(op.f("ix_realtime_tickets_expires_at"), "realtime_tickets", ["expires_at"], unique=False)
    op.create_table(
        "realtime_channels",
        sa.Column("name", _name(), nullable=False),
        sa.Column("last_id", sa.BigInteger(), nullable=False),
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
        sa.Column("target_id", sa.BigInteger(), nullable=True),
        sa.Column("edited_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "id", name=op.f("pk_realtime_events")),
        sa.UniqueConstraint("channel", "key", name=op.f("uq_realtime_events_channel_key")),
    )
    for column, *more in (("sender_id", "created_at"), ("expires_at",)):
        op.create_index(
            f"ix_realtime_events_{column}",
            "realtime_events",
            [column, *more],
            postgresql_where=sa.text(f"{column} IS NOT NULL"),
            sqlite_where=sa.text(f"{column} IS NOT NULL"),
        )
    op.create_table(
        "realtime_processes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("renewed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_realtime_processes")),
    )
    op.create_table(
        "realtime_presence",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("process_id", sa.Uuid(), nullable=False),
        sa.Column("channel", _name(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("username", sa.String(length=255), nullable=True),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("avatar_url", sa.String(length=2048), nullable=True),
        sa.ForeignKeyConstraint(
            ["process_id"], ["realtime_processes.id"], name=op.f("fk_realtime_presence_process_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_realtime_presence")),
    )
    for column in ("process_id", "channel"):
        op.create_index(op.f(f"ix_realtime_presence_{column}"), "realtime_presence", [column])


def downgrade() -> None:
    for table in (
        "realtime_presence",
        "realtime_processes",
        "realtime_events",
        "realtime_channels",
        "realtime_tickets",
        "room_invitations",
        "room_members",
        "rooms",
    ):
        op.drop_table(table)
