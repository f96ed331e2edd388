from app.domain.notifications.models import NotificationPreference
from app.lib.export import export
from app.lib.mail.models import Mail

EXPORTS = (
    export(
        "notification_preferences",
        NotificationPreference.id,
        NotificationPreference.muted,
        of=NotificationPreference.user_id,
        by=[NotificationPreference.id],
    ),
    export(
        "mails",
        Mail.id,
        Mail.kind,
        Mail.to_address,
        Mail.locale,
        Mail.context,
        Mail.status,
        Mail.created_at,
        Mail.sent_at,
        of=Mail.user_id,
        by=[Mail.id],
    ),
)
