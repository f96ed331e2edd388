from app.lib.domain import Permission

JOBS_MANAGE = "jobs:manage"

PERMISSIONS = (Permission(JOBS_MANAGE, "See background jobs and what they hold, run them again, cancel them."),)
