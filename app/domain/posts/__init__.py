"""Posts: people write, everybody reads."""

from app.domain.posts.audit import AUDIT_KINDS
from app.domain.posts.channels import CHANNEL_KINDS
from app.domain.posts.controllers import PostController, get_feed, list_tags, list_user_posts
from app.domain.posts.exports import EXPORTS
from app.domain.posts.jobs import JOBS
from app.domain.posts.listeners import LISTENERS
from app.domain.posts.permissions import PERMISSIONS
from app.domain.posts.webhooks import WEBHOOK_KINDS
from app.lib.domain import Domain

posts = Domain(
    name="posts",
    exports=EXPORTS,
    controllers=(PostController, list_user_posts, list_tags, get_feed),
    audit_kinds=AUDIT_KINDS,
    permissions=PERMISSIONS,
    listeners=LISTENERS,
    jobs=JOBS,
    webhook_kinds=WEBHOOK_KINDS,
    channel_kinds=CHANNEL_KINDS,
    demo="app.domain.posts.demo:seed",
    tag_group="Content",
    tags=(("Posts", "What people write: drafts, publication, search, tags and an Atom feed."),),
)
