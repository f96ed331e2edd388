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
        summary="Which mails you get",
        description="Beyond the essential ones, which are about your account and its security.",
    )
    async def show(
        self, principal: Injected[Principal], notification_queries: Injected[PreferenceQueries]
    ) -> NotificationsRead:
        return await notification_queries.of(principal.user_id)

    @patch(
        guards=[authenticated],
        dto=StructDTO[NotificationsUpdate],
        return_dto=StructDTO[NotificationsRead],
        operation_id="updateMyNotifications",
        summary="Choose which mails you get",
        opt=may_raise(PreconditionFailed),
    )
    async def change(
        self,
        data: JSONBody[NotificationsUpdate],
        principal: Injected[Principal],
        notifications: Injected[PreferenceService],
        if_match: Injected[IfMatch],
    ) -> NotificationsRead:
        return await notifications.change(principal.user_id, data, if_match)
