"""The tables of posts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSVECTOR

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# An FTS5 table without a copy of the text. Its rows are found by fts_id, because SQLite gives the rows of a table
# whose key is no integer other numbers in a VACUUM. The tokens are made by lib/db/search.py and have spaces between
# them: "ascii" leaves everything beyond ASCII alone.
SQLITE = (
    """
    CREATE VIRTUAL TABLE fts_posts USING fts5(
        title_search, search, content='posts', content_rowid='fts_id', detail='column',
        tokenize="ascii tokenchars '#-='"
    )
    """,
    """
    CREATE TRIGGER fts_posts_insert AFTER INSERT ON posts BEGIN
        UPDATE posts SET fts_id = (SELECT coalesce(max(fts_id), 0) + 1 FROM posts) WHERE id = new.id;
        INSERT INTO fts_posts (rowid, title_search, search)
            SELECT fts_id, title_search, search FROM posts WHERE id = new.id;
    END
    """,
    """
    CREATE TRIGGER fts_posts_delete AFTER DELETE ON posts BEGIN
        INSERT INTO fts_posts (fts_posts, rowid, title_search, search)
            VALUES ('delete', old.fts_id, old.title_search, old.search);
    END
    """,
    """
    CREATE TRIGGER fts_posts_update AFTER UPDATE OF title_search, search ON posts BEGIN
        INSERT INTO fts_posts (fts_posts, rowid, title_search, search)
            VALUES ('delete', old.fts_id, old.title_search, old.search);
        INSERT INTO fts_posts (rowid, title_search, search) VALUES (new.fts_id, new.title_search, new.search);
    END
    """,
)


def upgrade() -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    bytewise = sa.String(length=255, collation="C") if is_postgresql else sa.String(length=255)
    tokens = TSVECTOR() if is_postgresql else sa.Text()
    op.create_table(
        "posts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.String(length=255), nullable=False),
        sa.Column("title_key", bytewise, nullable=False),
        sa.Column("slug", sa.String(length=100, collation="C" if is_postgresql else None), nullable=False),
        sa.Column("excerpt", sa.String(length=500), nullable=False),
        sa.Column("has_own_excerpt", sa.Boolean(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("public_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_announced", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        *(() if is_postgresql else (sa.Column("fts_id", sa.Integer(), nullable=True),)),
        sa.Column("title_search", tokens, nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=True),
        sa.Column("search", tokens, nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["users.id"], name=op.f("fk_posts_author_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_posts")),
    )
    for columns in (
        ["slug", "author_id"],
        ["public_from", "id"],
        ["author_id", "public_from", "id"],
        ["title_key", "id"],
        ["created_at", "id"],
        ["updated_at", "id"],
        ["is_announced", "public_from"],
    ):
        op.create_index(op.f(f"ix_posts_{'_'.join(columns)}"), "posts", columns, unique=False)
    if is_postgresql:
        op.create_index("ix_posts_fts_search", "posts", ["search"], postgresql_using="gin")
    else:
        op.create_index("ix_posts_fts_id", "posts", ["fts_id"], unique=True)
        for statement in SQLITE:
            op.execute(statement)

    op.create_table(
        "post_tags",
        sa.Column("post_id", sa.Uuid(), nullable=False),
        sa.Column("tag", sa.String(length=40, collation="C" if is_postgresql else None), nullable=False),
        sa.Column("public_from", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], name=op.f("fk_post_tags_post_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("post_id", "tag", name=op.f("pk_post_tags")),
    )
    op.create_index(op.f("ix_post_tags_tag_public_from"), "post_tags", ["tag", "public_from"], unique=False)
    op.create_table(
        "post_slugs",
        sa.Column("digest", sa.String(length=64, collation="C" if is_postgresql else None), nullable=False),
        sa.Column("post_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["post_id"],
            ["posts.id"],
            name=op.f("fk_post_slugs_post_id"),
            ondelete="SET NULL",
            deferrable=True,
            initially="DEFERRED",
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_post_slugs")),
    )
    op.create_index(op.f("ix_post_slugs_post_id"), "post_slugs", ["post_id"], unique=False)


def downgrade() -> None:
    op.drop_table("post_slugs")
    op.drop_table("post_tags")
    if op.get_bind().dialect.name != "postgresql":
        op.execute("DROP TABLE fts_posts")
    op.drop_table("posts")
