"""Who may read the metrics: holders of a permission, or a scraper with a token of its own."""

import hmac

from litestar.handlers import BaseRouteHandler

from app.domain.system.permissions import METRICS_READ
from app.domain.system.settings import SystemSettings
from app.lib.errors import PermissionDenied, Unauthenticated
from app.lib.security.bearer import bearer_token
from app.lib.security.policies import Connection, Policy
from app.lib.security.principal import Authenticator
from app.lib.services import Services


class MetricsAccess(Policy):
    """Reads the bearer token itself, because ``METRICS_TOKEN`` is no access token."""

    requires_credentials = True

    async def __call__(self, connection: Connection, handler: BaseRouteHandler) -> None:
        """Raises ``Unauthenticated``, ``InvalidToken`` or ``PermissionDenied``."""
        token = bearer_token(connection.scope)
        if token is None:
            raise Unauthenticated
        services: Services = connection.app.state.core.services
        expected = services.get(SystemSettings).metrics_token
        if expected is not None and hmac.compare_digest(expected.reveal().encode(), token.encode()):
            return
        principal = await services.get(Authenticator).authenticate(token)
        if not principal.may(METRICS_READ):
            raise PermissionDenied(f"This needs the permission {METRICS_READ}.")


metrics_access = MetricsAccess(f"{METRICS_READ} or METRICS_TOKEN")
