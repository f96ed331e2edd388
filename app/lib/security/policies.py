"""Who may call a route: deny by default, one declared policy per route.

    @get("/users", guards=[permission("users:read")])

A policy is a Litestar guard. The app refuses to start when a route has none or more than one.
"""

from typing import Any, ClassVar
from uuid import UUID

from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.exceptions import ImproperlyConfiguredException
from litestar.handlers import BaseRouteHandler

from app.lib.errors import NotFound, PermissionDenied, ReauthRequired, Unauthenticated
from app.lib.security.principal import Principal

POLICY = "policy"
"""Where a handler's ``opt`` holds its policy, once the app has started."""

Connection = ASGIConnection[Any, Any, Any, Any]


class Policy:
    """The base: anybody, and credentials are not even read."""

    reads_credentials: ClassVar[bool] = False
    requires_credentials: ClassVar[bool] = False

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name

    async def __call__(self, connection: Connection, handler: BaseRouteHandler) -> None:
        """Raises when the caller may not."""


class Optional(Policy):
    """Anybody; who sends credentials is known by them, and bad credentials are refused."""

    reads_credentials = True


class Authenticated(Policy):
    """Whoever is signed in; ``fresh`` wants a sign-in within the last ten minutes."""

    reads_credentials = True
    requires_credentials = True

    def __init__(self, name: str, *, fresh: bool = False) -> None:
        super().__init__(f"{name} (recent sign-in)" if fresh else name)
        self.fresh = fresh

    async def __call__(self, connection: Connection, handler: BaseRouteHandler) -> None:
        """Raises ``Unauthenticated``, ``PermissionDenied``, ``NotFound`` or ``ReauthRequired``."""
        if connection.scope.get("method") == "OPTIONS":
            return
        principal = current_principal(connection)
        self.check(principal, connection)
        if self.fresh and not principal.signed_in_recently:
            raise ReauthRequired

    def check(self, principal: Principal, connection: Connection) -> None:
        """What this policy asks beyond being signed in."""


class HasPermission(Authenticated):
    """Holders of a permission; with ``or_self``, also the user whose id that path parameter is."""

    def __init__(self, code: str, *, or_self: str | None = None, fresh: bool = False) -> None:
        super().__init__(f"{code} or self" if or_self else code, fresh=fresh)
        self.code = code
        self.or_self = or_self

    def check(self, principal: Principal, connection: Connection) -> None:
        """Who is let in only to themselves is not told whether others exist."""
        if principal.may(self.code):
            return
        if self.or_self is None:
            raise PermissionDenied(f"This needs the permission {self.code}.")
        if str(connection.path_params.get(self.or_self)) != str(principal.user_id):
            raise NotFound


class HasRole(Authenticated):
    """Holders of one of the roles, and superusers."""

    def __init__(self, *names: str, fresh: bool = False) -> None:
        super().__init__(f"role {' or '.join(names)}", fresh=fresh)
        self.names = frozenset(names)

    def check(self, principal: Principal, connection: Connection) -> None:
        """Raises ``PermissionDenied``."""
        if not (principal.is_superuser or principal.roles & self.names):
            raise PermissionDenied


class IsSuperuser(Authenticated):
    """Superusers only."""

    def check(self, principal: Principal, connection: Connection) -> None:
        """Raises ``PermissionDenied``."""
        if not principal.is_superuser:
            raise PermissionDenied


public = Policy("public")
optional = Optional("optional")
authenticated = Authenticated("authenticated")
recently_authenticated = Authenticated("authenticated", fresh=True)
superuser = IsSuperuser("superuser")


def permission(code: str, *, or_self: str | None = None, fresh: bool = False) -> HasPermission:
    """Callers who hold the permission; see :class:`HasPermission`."""
    return HasPermission(code, or_self=or_self, fresh=fresh)


def role(*names: str, fresh: bool = False) -> HasRole:
    """Callers who hold one of the roles."""
    return HasRole(*names, fresh=fresh)


def find_principal(connection: Connection) -> Principal | None:
    """The caller, or None when nobody is signed in."""
    principal = connection.scope.get("user")
    return principal if isinstance(principal, Principal) else None


def current_principal(connection: Connection) -> Principal:
    """The caller. Raises ``Unauthenticated`` when nobody is signed in."""
    principal = find_principal(connection)
    if principal is None:
        raise Unauthenticated
    return principal


def policy_of(handler: BaseRouteHandler) -> Policy:
    """The one policy of a handler. Raises ``ImproperlyConfiguredException`` when there is none or are several."""
    found = [guard for guard in handler.resolve_guards() if isinstance(guard, Policy)]
    if len(found) != 1:
        problem = "no policy" if not found else f"several policies {found}"
        raise ImproperlyConfiguredException(f"{handler} declares {problem}; give it one of app.lib.security.policies")
    return found[0]


def declare_policies(app: Litestar) -> None:
    """Writes every handler's policy into its ``opt``. Raises when a route has none: deny by default."""
    for route in app.routes:
        handlers = getattr(route, "route_handlers", None) or [getattr(route, "route_handler", None)]
        for handler in handlers:
            if handler is None or getattr(handler, "http_methods", None) == {"OPTIONS"}:
                continue
            handler.opt[POLICY] = policy_of(handler)


def is_self(principal: Principal, user_id: UUID) -> bool:
    """Whether the user is the caller."""
    return principal.user_id == user_id
