from litestar import Controller, get, patch
from litestar.params import JSONBody

from app.domain.accounts.controllers.me import account_gone
from app.domain.notifications.dtos import NotificationsRead, NotificationsUpdate
from app.domain.notifications.services.preferences import PreferenceQueries, PreferenceService
from app.lib.db.versions import IfMatch
from app.lib.errors import NotFound, PreconditionFailed
from app.lib.http.injection import Injected
from app.lib.openapi.document import may_raise
from app.lib.security.policies import authenticated
from app.lib.security.principal import Principal
from app.lib.wire.dto import StructDTO


class NotificationController(Controller):
    path = "/users/me/notifications"
    tags = ("Notifications",)
    exception_handlers = {NotFound: account_gone}  # noqa: RUF012 - Litestar declares it as an instance's

    @get(
        guards=[authenticated],
        return_dto=StructDTO[NotificationsRead],
        operation_id="getMyNotifications",
        summary="Get the current user's mail preferences",
        description="Essential mails about the account and its security are always sent.",
    )
    async def get(
        self, principal: Injected[Principal], preference_queries: Injected[PreferenceQueries]
    ) -> NotificationsRead:
        return await preference_queries.get(principal.user_id)

    @patch(
        guards=[authenticated],
        dto=StructDTO[NotificationsUpdate],
        return_dto=StructDTO[NotificationsRead],
        operation_id="updateMyNotifications",
        summary="Update the current user's mail preferences",
        opt=may_raise(PreconditionFailed),
    )
    async def update(
        self,
        data: JSONBody[NotificationsUpdate],
        principal: Injected[Principal],
        preference_service: Injected[PreferenceService],
        if_match: Injected[IfMatch],
    ) -> NotificationsRead:
        return await preference_service.update(principal.user_id, data, if_match)
