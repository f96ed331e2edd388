"""The policies of the routes about accounts, spelled out: a change of one of them is a decision."""

from litestar import Litestar
from litestar.routes import HTTPRoute

from app.lib.security.policies import policy_of

POLICIES = {
    "GET /users/me": "authenticated",
    "PATCH /users/me": "authenticated",
    "DELETE /users/me": "authenticated (recent sign-in)",
    "GET /users/me/export": "authenticated (recent sign-in)",
    "GET /users/me/profile": "authenticated",
    "PUT /users/me/profile": "authenticated",
    "GET /profiles": "public",
    "GET /profiles/{user_id}": "public",
    "GET /users/{user_id}/profile": "users:read or self",
    "PATCH /users/{user_id}/profile": "users:write",
    "PATCH /users/me/profile": "authenticated",
    "GET /users": "users:read",
    "POST /users": "users:write (recent sign-in)",
    "POST /service-accounts": "users:write (recent sign-in)",
    "GET /users/{user_id}": "users:read or self",
    "PATCH /users/{user_id}": "users:write",
    "DELETE /users/{user_id}": "users:delete (recent sign-in)",
    "POST /users/{user_id}/activate": "users:write (recent sign-in)",
    "POST /users/{user_id}/deactivate": "users:write",
    "POST /users/{user_id}/password": "users:write (recent sign-in)",
    "PUT /users/{user_id}/roles": "roles:write (recent sign-in)",
    "GET /permissions": "roles:read",
    "GET /roles": "roles:read",
    "POST /roles": "roles:write (recent sign-in)",
    "GET /roles/{role_id}": "roles:read",
    "PATCH /roles/{role_id}": "roles:write (recent sign-in)",
    "DELETE /roles/{role_id}": "roles:write (recent sign-in)",
}


def test_every_route_about_accounts_has_the_policy_that_was_decided(shared_app: Litestar) -> None:
    found = {
        f"{method} {route.path_format.removeprefix('/api/v1')}": repr(policy_of(handler))
        for route in shared_app.routes
        if isinstance(route, HTTPRoute)
        for method, (handler, _) in route.route_handler_map.items()
        if method != "OPTIONS" and handler.fn.__module__.startswith("app.domain.accounts.")
    }

    assert found == POLICIES
