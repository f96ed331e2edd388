from app.lib.domain import Permission

USERS_IMPERSONATE = "users:impersonate"

PERMISSIONS = (Permission(USERS_IMPERSONATE, "Act as a user who has no more rights, for an hour, to help them."),)
