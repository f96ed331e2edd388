from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from app.domain.accounts.services.access import account_must_exist, check_recent
from app.domain.webhooks.dtos import WebhookCreate, WebhookRead, WebhookUpdate, WebhookWithSecret
from app.domain.webhooks.errors import TooManyWebhooks, WebhookNotFound
from app.domain.webhooks.models import WebhookEndpoint
from app.domain.webhooks.repositories import WebhookRepository
from app.domain.webhooks.services.secrets import rotate_secret, set_secret
from app.domain.webhooks.settings import WebhookSettings
from app.lib import audit
from app.lib.audit import Origin
from app.lib.clock import utc_now
from app.lib.db.base import new_id
from app.lib.db.service import EntityService
from app.lib.db.uow import UnitOfWork
from app.lib.db.versions import IfMatch
from app.lib.errors import FieldCode, FieldError, ValidationFailed
from app.lib.security.principal import Principal
from app.lib.security.sealing import Sealer
from app.lib.webhooks.kinds import WebhookKinds
from app.lib.webhooks.urls import check_receiver_url
from app.lib.wire.decoding import FieldProblem
from app.lib.wire.dto import project, provided

MAX_WEBHOOKS = 20
"""For each owner."""


class WebhookService(EntityService[WebhookEndpoint, WebhookRepository]):
    """How webhooks come, change and go. Everybody has their own, and sees no other."""

    repository_type = WebhookRepository
    not_found = WebhookNotFound

    def __init__(
        self, unit: UnitOfWork, kinds: WebhookKinds, sealer: Sealer, origin: Origin, settings: WebhookSettings
    ) -> None:
        super().__init__(unit)
        self.kinds = kinds
        self.sealer = sealer
        self.origin = origin
        self.allow_private = settings.webhooks_allow_private

    async def add(self, data: WebhookCreate, actor: Principal) -> WebhookWithSecret:
        """Raises ``ValidationFailed``, ``TooManyWebhooks`` or ``AccountGone``."""
        self._check(data.url, data.kinds)
        if await self.repository.count_of(actor.user_id) >= MAX_WEBHOOKS:
            raise TooManyWebhooks(MAX_WEBHOOKS)
        webhook = WebhookEndpoint(
            id=new_id(),
            owner_id=actor.user_id,
            url=data.url,
            description=data.description,
            is_active=data.is_active,
        )
        secret = set_secret(webhook, self.sealer)
        with account_must_exist():
            await self.repository.insert(webhook)
        await self.repository.replace_kinds(webhook.id, set(data.kinds))
        await self._audit("webhook.created", webhook, kinds=sorted(set(data.kinds)))
        return _with_secret(_to_read(webhook, data.kinds), secret)

    async def change(self, webhook_id: UUID, data: WebhookUpdate, if_match: IfMatch, actor: Principal) -> WebhookRead:
        """Another URL needs a recent sign-in, because the events go there.

        Raises ``WebhookNotFound``, ``PreconditionFailed``, ``ValidationFailed`` or ``ReauthRequired``.
        """
        webhook = await self._require_own(webhook_id, if_match, actor)
        present = provided(data)
        kinds = await self.repository.kinds_of(webhook_id)
        wanted = frozenset(present.get("kinds", kinds))
        self._check(present.get("url"), present.pop("kinds", ()))
        if present.get("url", webhook.url) != webhook.url:
            check_recent(actor)
        before = webhook.version
        _assign(webhook, present)
        if wanted != kinds:
            webhook.updated_at = utc_now()  # a change of the webhook, although its own row says the same
        await self.repository.flush()
        if wanted != kinds:
            await self.repository.replace_kinds(webhook_id, wanted)
        if webhook.version != before:
            await self._audit("webhook.updated", webhook, kinds=sorted(wanted), is_active=webhook.is_active)
        return _to_read(webhook, wanted)

    async def rotate(self, webhook_id: UUID, if_match: IfMatch, actor: Principal) -> WebhookWithSecret:
        """A new secret; for another day deliveries are signed with the present one, too.

        Raises ``WebhookNotFound`` or ``PreconditionFailed``.
        """
        webhook = await self._require_own(webhook_id, if_match, actor)
        secret = rotate_secret(webhook, self.sealer, utc_now())
        await self.repository.flush()
        await self._audit("webhook.secret_rotated", webhook)
        return _with_secret(_to_read(webhook, await self.repository.kinds_of(webhook_id)), secret)

    async def remove(self, webhook_id: UUID, if_match: IfMatch, actor: Principal) -> None:
        """With its deliveries. Raises ``WebhookNotFound`` or ``PreconditionFailed``."""
        webhook = await self._require_own(webhook_id, if_match, actor)
        await self._audit("webhook.deleted", webhook)
        await self.unit.session.delete(webhook)
        await self.unit.session.flush()

    async def _require_own(self, webhook_id: UUID, if_match: IfMatch, actor: Principal) -> WebhookEndpoint:
        webhook = await self.repository.lock_own(webhook_id, actor.user_id)
        if webhook is None:
            raise WebhookNotFound
        if_match.check(webhook.version)
        return webhook

    def _check(self, url: str | None, kinds: Sequence[str]) -> None:
        errors: list[FieldError] = []
        try:
            if url is not None:
                check_receiver_url(url, allow_private=self.allow_private)
        except FieldProblem as problem:
            errors.append(FieldError(pointer="/url", code=problem.code, detail=problem.detail))
        detail = "There is no such kind of event."
        errors += [
            FieldError(pointer=f"/kinds/{i}", code=FieldCode.INVALID_CHOICE, detail=detail)
            for i, kind in enumerate(kinds)
            if kind not in self.kinds
        ]
        if errors:
            raise ValidationFailed(errors)

    async def _audit(self, kind: str, webhook: WebhookEndpoint, **details: Any) -> None:
        """Only the host, because paths and queries often hold tokens."""
        host = urlsplit(webhook.url).hostname
        await audit.record(self.unit, kind, self.origin, subject_id=webhook.id, host=host, **details)


def _assign(webhook: WebhookEndpoint, present: dict[str, Any]) -> None:
    if present.get("is_active") is True and not webhook.is_active:
        webhook.disabled_reason = None
        webhook.failing_since = None
    for name, value in present.items():
        setattr(webhook, name, value)


def _to_read(webhook: WebhookEndpoint, kinds: Sequence[str] | frozenset[str]) -> WebhookRead:
    return project(WebhookRead, webhook, kinds=sorted(set(kinds)))


def _with_secret(read: WebhookRead, secret: str) -> WebhookWithSecret:
    return project(WebhookWithSecret, read, secret=secret)
