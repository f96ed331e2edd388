from app.lib.domain import Permission

POSTS_WRITE = "posts:write"
POSTS_DELETE = "posts:delete"

PERMISSIONS = (
    Permission(POSTS_WRITE, "Change, publish and unpublish any post, drafts included."),
    Permission(POSTS_DELETE, "Delete any post, drafts included."),
)
