from app.domain.posts.models import Post
from app.lib.export import export

EXPORTS = (
    export(
        "posts",
        Post.id,
        Post.title,
        Post.slug,
        Post.excerpt,
        Post.content,
        Post.tags,
        Post.metadata_.label("metadata"),
        Post.published_at,
        Post.public_from,
        Post.created_at,
        Post.updated_at,
        of=Post.author_id,
        by=[Post.public_from, Post.id],
    ),
)
