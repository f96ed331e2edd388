"""Who may call a route: deny by default, one declared policy per route.

    @get("/users", guards=[permission("users:read")])

A policy is declared as a Litestar guard. The app refuses to start when a route has none or more than one.
:class:`~app.lib.security.bearer.BearerMiddleware` asks it before anything else of the request is looked at.
"""

from typing import Any, ClassVar, get_args

from litestar import Litestar, Request
from litestar.connection import ASGIConnection
from litestar.exceptions import ImproperlyConfiguredException
from litestar.handlers import BaseRouteHandler
from litestar.routes import HTTPRoute, WebSocketRoute
from litestar.types import Scope

from app.lib.errors import ErrorCode, NotVisible, PermissionDenied, ReauthRequired, Unauthenticated
from app.lib.security.principal import Means, Principal

POLICY = "policy"
"""Where a handler's ``opt`` holds its policy, once the app has started."""

Connection = ASGIConnection[Any, Any, Any, Any]

ANY_MEANS: frozenset[Means] = frozenset(get_args(Means))
IN_PERSON: frozenset[Means] = frozenset({"sign_in"})
"""The users themselves: for credentials, sessions, keys, what grants rights, and deletion."""
IN_SESSION: frozenset[Means] = ANY_MEANS - {"api_key"}

_REMARKS = {ANY_MEANS: "", IN_PERSON: " (own sign-in)", IN_SESSION: " (session)"}


class OwnSignInRequired(PermissionDenied):
    code = ErrorCode(
        "own_sign_in_required",
        "The user's own sign-in is required",
        "Repeat the request with an access token that the user got by signing in.",
    )
    detail = "This is for users who have signed in themselves: not for API keys, and not for support that acts as them."


class PasswordChangeRequired(PermissionDenied):
    code = ErrorCode(
        "password_change_required",
        "The password must be changed first",
        "Change the password by `POST /users/me/password`, and repeat the request with the new tokens.",
    )
    is_denial = False
    detail = "An administrator has set your password. Change it before you do anything else."


class MfaEnrollmentRequired(PermissionDenied):
    code = ErrorCode(
        "mfa_enrollment_required",
        "A second factor must be set up first",
        "Set one up by `POST /users/me/mfa/totp`, and repeat the request.",
    )
    is_denial = False
    detail = "One of your roles requires a second factor. Set one up before you do anything else."


_DEBTS = {each.code.value: each for each in (PasswordChangeRequired, MfaEnrollmentRequired)}
_OPEN_TO_DEBTORS = "open_to_debtors"
OPEN_TO_DEBTORS: dict[str, Any] = {_OPEN_TO_DEBTORS: True}
"""Spread into the ``opt`` of a handler by which callers do what they owe (``Principal.owes``), or sign out. All other
routes that read credentials refuse them.
"""


def is_open_to_debtors(handler: BaseRouteHandler) -> bool:
    """Whether it is marked with :data:`OPEN_TO_DEBTORS`."""
    return _OPEN_TO_DEBTORS in handler.opt


def check_debts(principal: Principal) -> None:
    """Raises ``PasswordChangeRequired`` or ``MfaEnrollmentRequired``."""
    if principal.owes is not None:
        raise _DEBTS[principal.owes]


class Policy:
    """The base: any caller. ``reads_credentials``: those that are sent are read, and bad ones are refused, as are those
    of other ``means``.
    """

    requires_credentials: ClassVar[bool] = False

    def __init__(
        self,
        name: str,
        *,
        reads_credentials: bool = False,
        takes_ticket: bool = False,
        means: frozenset[Means] = ANY_MEANS,
    ) -> None:
        self.name = name + _REMARKS[means]
        self.reads_credentials = reads_credentials
        self.takes_ticket = takes_ticket
        self.means = means

    def __repr__(self) -> str:
        return self.name

    async def __call__(self, connection: Connection, handler: BaseRouteHandler) -> None:
        """Raises when the caller may not."""
        principal = find_principal(connection)
        if principal is not None:
            self.check_means(principal)

    def check_means(self, principal: Principal) -> None:
        """Raises ``OwnSignInRequired``."""
        if principal.means not in self.means:
            raise OwnSignInRequired


class Authenticated(Policy):
    """Callers who are signed in; ``fresh`` needs a sign-in of their own within the last ten minutes.

    With ``takes_ticket`` they may send a ticket (``?ticket=…``) instead, which they got while they were signed in.
    """

    requires_credentials = True

    def __init__(
        self, name: str, *, fresh: bool = False, takes_ticket: bool = False, means: frozenset[Means] = ANY_MEANS
    ) -> None:
        means = IN_PERSON if fresh else means
        super().__init__(name, reads_credentials=True, takes_ticket=takes_ticket, means=means)
        if fresh:
            self.name = f"{name} (recent sign-in)"
        self.fresh = fresh

    async def __call__(self, connection: Connection, handler: BaseRouteHandler) -> None:
        """Raises ``Unauthenticated``, ``PermissionDenied``, ``NotVisible``, ``OwnSignInRequired`` or
        ``ReauthRequired``.
        """
        principal = current_principal(connection)
        self.check(principal, connection)
        self.check_means(principal)
        if self.fresh:
            check_recent(principal)

    def check(self, principal: Principal, connection: Connection) -> None:
        """What this policy asks beyond being signed in."""


class HasPermission(Authenticated):
    """Holders of a permission; with ``or_self``, also the user whose id that path parameter is.

    A route about one object hides it from callers who may not see it. ``sight`` is the policy of the route that shows
    the object; ``hides`` says that this is that route.
    """

    def __init__(
        self,
        code: str,
        *,
        or_self: str | None = None,
        hides: bool = False,
        sight: "HasPermission | None" = None,
        fresh: bool = False,
        means: frozenset[Means] = ANY_MEANS,
    ) -> None:
        super().__init__(f"{code} or self" if or_self else code, fresh=fresh, means=means)
        self.code = code
        self.or_self = or_self
        self.sight = self if hides else sight

    def admits(self, principal: Principal, connection: Connection) -> bool:
        if principal.may(self.code):
            return True
        return self.or_self is not None and connection.path_params.get(self.or_self) == principal.user_id

    def check(self, principal: Principal, connection: Connection) -> None:
        """Raises ``NotVisible`` or ``PermissionDenied``."""
        if self.admits(principal, connection):
            return
        if self.sight is not None and not self.sight.admits(principal, connection):
            raise NotVisible
        raise PermissionDenied(f"This needs the permission {self.code}.")


public = Policy("public")
optional = Policy("optional", reads_credentials=True)
optional_in_person = Policy("optional", reads_credentials=True, means=IN_PERSON)
authenticated = Authenticated("authenticated")
signed_in = Authenticated("authenticated", means=IN_PERSON)
in_session = Authenticated("authenticated", means=IN_SESSION)
ticketed = Authenticated("authenticated or ticket", takes_ticket=True)
recently_authenticated = Authenticated("authenticated", fresh=True)


def permission(
    code: str, *, sight: HasPermission | None = None, fresh: bool = False, in_person: bool = False
) -> HasPermission:
    """Callers who hold the permission. Where ``sight`` does not admit them either, they get 404 instead of 403."""
    return HasPermission(code, sight=sight, fresh=fresh, means=IN_PERSON if in_person else ANY_MEANS)


def sees(code: str, *, or_self: str | None = None) -> HasPermission:
    """Callers who may see the object that a route shows: holders of the permission, and with ``or_self`` the user
    whose id that path parameter is. For all others it does not exist.
    """
    return HasPermission(code, or_self=or_self, hides=True)


def check_recent(principal: Principal) -> None:
    """For routes where only some calls are sensitive. Raises ``OwnSignInRequired`` or ``ReauthRequired``."""
    if principal.means not in IN_PERSON:
        raise OwnSignInRequired
    if not principal.signed_in_recently:
        raise ReauthRequired


def principal_in(scope: Scope) -> Principal | None:
    """The caller, or None for an anonymous one."""
    principal = scope.get("user")
    return principal if isinstance(principal, Principal) else None


def find_principal(connection: Connection) -> Principal | None:
    """The caller, or None for an anonymous one."""
    return principal_in(connection.scope)


def current_principal(connection: Connection) -> Principal:
    """The caller. Raises ``Unauthenticated`` for an anonymous one."""
    principal = find_principal(connection)
    if principal is None:
        raise Unauthenticated
    return principal


async def provide_principal(request: Request[Any, Any, Any]) -> Principal:
    """The caller, on routes for signed-in users."""
    return current_principal(request)


async def provide_viewer(request: Request[Any, Any, Any]) -> Principal | None:
    """The caller, or None, on routes that are open to all."""
    return find_principal(request)


def policy_of(handler: BaseRouteHandler) -> Policy:
    """The one policy of a handler. Raises ``ImproperlyConfiguredException`` when there is none or are several."""
    declared = handler.opt.get(POLICY)
    if isinstance(declared, Policy):
        return declared
    found = [guard for guard in handler.resolve_guards() if isinstance(guard, Policy)]
    if len(found) != 1:
        problem = "no policy" if not found else f"several policies {found}"
        raise ImproperlyConfiguredException(f"{handler} declares {problem}; give it one of app.lib.security.policies")
    return found[0]


def declare_policies(app: Litestar) -> None:
    """Writes every handler's policy into its ``opt``. Raises when a route has none: deny by default.

    The middleware asks the policy, so it is taken off the guards, which Litestar would run again.
    """
    for route in app.routes:
        handlers = getattr(route, "route_handlers", None) or [getattr(route, "route_handler", None)]
        for handler in handlers:
            if handler is None or getattr(handler, "http_methods", None) == {"OPTIONS"}:
                continue
            handler.opt[POLICY] = policy = policy_of(handler)
            guards = handler.resolve_guards()
            if isinstance(route, HTTPRoute | WebSocketRoute) and policy in guards:
                guards.remove(policy)
