from app.lib.domain import Permission

JOBS_MANAGE = "jobs:manage"
EVENTS_READ = "events:read"

PERMISSIONS = (
    Permission(JOBS_MANAGE, "See background jobs and what they hold, run them again, cancel them."),
    Permission(EVENTS_READ, "See what happened to all users, posts, products and orders, deletions included, by ids."),
)
