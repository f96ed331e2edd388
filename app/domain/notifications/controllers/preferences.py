from litestar import Controller, get, patch
from litestar.params import JSONBody

from app.domain.accounts.controllers.me import account_gone
from app.domain.notifications.dtos import NotificationPreferencesRead, NotificationPreferencesUpdate
from app.domain.notifications.services.preferences import PreferenceQueries, PreferenceService
from app.lib.errors import NotFound
from app.lib.http.injection import Caller, Injected, Precondition
from app.lib.security.policies import authenticated
from app.lib.wire.dto import StructDTO


class NotificationController(Controller):
    path = "/users/me/notification-preferences"
    tags = ("Notifications",)
    return_dto = StructDTO[NotificationPreferencesRead]
    exception_handlers = {NotFound: account_gone}  # noqa: RUF012 - Litestar declares it as an instance's

    @get(
        guards=[authenticated],
        summary="Get the current user's mail preferences",
        description="Essential mails about the account and its security are always sent.",
    )
    async def get_my_notification_preferences(
        self, principal: Caller, preference_queries: Injected[PreferenceQueries]
    ) -> NotificationPreferencesRead:
        return await preference_queries.get(principal.user_id)

    @patch(
        guards=[authenticated],
        dto=StructDTO[NotificationPreferencesUpdate],
        summary="Update the current user's mail preferences",
        description="Subscribes to topics and unsubscribes from them, as a merge patch.",
    )
    async def update_my_notification_preferences(
        self,
        data: JSONBody[NotificationPreferencesUpdate],
        principal: Caller,
        preference_service: Injected[PreferenceService],
        if_match: Precondition,
    ) -> NotificationPreferencesRead:
        return await preference_service.update(principal.user_id, data, if_match)
