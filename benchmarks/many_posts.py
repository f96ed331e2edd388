"""A million posts on PostgreSQL, quickly: made by the server itself, with the indexes built when all rows are there."""

import asyncio
from typing import Any

import asyncpg

from app.lib.db.url import DatabaseURL

WRITERS = 2
"""Connections that insert at a time."""
_CHUNK = 20_000
_TABLES = ["posts", "post_tags"]

# Every post has "common", 60 of 5 000 words and a word that 49 others have, too; a fixed tag, one of 97, and one of 20
# posts. Every twentieth post is a draft. The same numbers give the same posts, apart from their authors' ids.
_POSTS = """
INSERT INTO posts (
    id, author_id, title, title_key, slug, excerpt, has_own_excerpt, tags, metadata, published_at,
    public_from, is_announced, title_search, content, html, search, created_at, updated_at, version
)
SELECT
    (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(n::text), 1, 3)
        || '8' || substr(md5(n::text), 4, 15))::uuid,
    ($4::uuid[])[1 + (hashint8(n) & 2147483647) % cardinality($4::uuid[])],
    'Post ' || n || ' on word' || n % 5000, 'post ' || n || ' on word' || n % 5000,
    'post-' || n, left(words, 200), false,
    json_build_array('few' || n / 20, 'frequent', 'tag' || n % 97), '{}',
    CASE WHEN n % 20 > 0 THEN at END, CASE WHEN n % 20 > 0 THEN at ELSE '9999-12-31 00:00:00+00' END,
    n % 20 > 0, array_to_tsvector(ARRAY['post', n::text, 'on', 'word' || n % 5000]), words, '<p>' || words || '</p>',
    array_to_tsvector(string_to_array(
        words || ' post ' || n || ' on word' || n % 5000 || ' #few' || n / 20 || ' #frequent #tag' || n % 97, ' '
    )), at, at, 1
FROM (
    SELECT
        n, '2016-01-01 00:00:00+00'::timestamptz + interval '1 second' * (n * 315360000.0 / $3::bigint) AS at,
        (
            SELECT string_agg('word' || (hashint8(n * 64 + k) & 2147483647) % 5000, ' ') || ' common rare' || n / 50
            FROM generate_series(1, 60) AS k
        ) AS words
    FROM generate_series($1::bigint, $2::bigint) AS n
) AS made
"""
_TAGS = """
INSERT INTO post_tags (post_id, tag, public_from)
SELECT id, tag, public_from FROM posts, json_array_elements_text(tags) AS tag
"""
_SLUGS = """
INSERT INTO post_slugs (digest, post_id) SELECT encode(sha256(slug::bytea), 'hex'), id FROM posts
"""
_INDEXES = """
SELECT indexname, indexdef FROM pg_indexes
WHERE schemaname = current_schema() AND tablename = ANY($1)
  AND indexname NOT IN (SELECT conname FROM pg_constraint)
"""


async def seed_posts(url: DatabaseURL, count: int) -> None:
    """Adds posts of the users who are there. The database has to be PostgreSQL, and the connection a superuser's."""
    connections = [await _connect(url) for _ in range(WRITERS)]
    try:
        first = connections[0]
        authors = [row["id"] for row in await first.fetch("SELECT id FROM users ORDER BY id")]
        indexes = await first.fetch(_INDEXES, _TABLES)
        for index in indexes:
            await first.execute(f"DROP INDEX {index['indexname']}")
        chunks = iter(range(1, count + 1, _CHUNK))

        async def insert(connection: Any) -> None:
            for start in chunks:
                await connection.execute(_POSTS, start, min(start + _CHUNK - 1, count), count, authors)

        await asyncio.gather(*[insert(each) for each in connections])
        await first.execute(_TAGS)
        waiting = iter(indexes)

        async def build(connection: Any) -> None:
            for index in waiting:
                await connection.execute(index["indexdef"])

        await asyncio.gather(*[build(each) for each in connections])
        await first.execute(_SLUGS)
        await first.execute("VACUUM ANALYZE posts, post_tags, post_slugs, users, profiles")
    finally:
        for connection in connections:
            await connection.close()


async def _connect(url: DatabaseURL) -> Any:
    # "replica" leaves foreign keys unchecked: every row is made of one that is there.
    settings = {"session_replication_role": "replica", "synchronous_commit": "off", "maintenance_work_mem": "1GB"}
    return await asyncpg.connect(**url.connect_arguments, server_settings=settings)
