"""tag totals

Revision: 0007
After: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    op.create_table(
        "tag_totals",
        sa.Column("tag", sa.String(length=40, collation="C" if is_postgresql else None), nullable=False),
        sa.Column("posts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tag", name=op.f("pk_tag_totals")),
    )
    op.execute(
        "INSERT INTO tag_totals (tag, posts) SELECT tag, count(*) FROM post_tags"
        " JOIN posts ON posts.id = post_tags.post_id WHERE posts.is_announced GROUP BY tag"
    )
    op.create_index(op.f("ix_tag_totals_posts_tag"), "tag_totals", ["posts", "tag"], unique=False)


def downgrade() -> None:
    op.drop_table("tag_totals")
