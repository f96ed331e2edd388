from app.domain.identities.models import Identity
from app.lib.export import export

EXPORTS = (
    export(
        "identities",
        Identity.id,
        Identity.provider,
        Identity.issuer,
        Identity.subject,
        Identity.email,
        Identity.linked_at,
        Identity.last_used_at,
        of=Identity.user_id,
        by=[Identity.id],
    ),
)
