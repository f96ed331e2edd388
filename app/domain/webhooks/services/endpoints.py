from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from msgspec import UNSET

from app.domain.accounts.services.queries import AccountQueries
from app.domain.auth.repositories.sessions import SessionRepository
from app.domain.webhooks.dtos import WebhookCreate, WebhookRead, WebhookUpdate, WebhookWithSecret
from app.domain.webhooks.errors import TooManyWebhooks
from app.domain.webhooks.models import WebhookEndpoint
from app.domain.webhooks.repositories import WebhookRepository
from app.domain.webhooks.services.deliver import delete_first_deliveries
from app.domain.webhooks.services.secrets import FORMER_SECRET_LIFE, set_secret
from app.domain.webhooks.settings import WebhookSettings
from app.lib import audit
from app.lib.audit import Origin
from app.lib.clock import utc_now
from app.lib.db.base import new_id
from app.lib.db.uow import UnitOfWork
from app.lib.db.versions import IfMatch
from app.lib.errors import FieldCode, FieldError, ValidationFailed, unknown_items
from app.lib.mail.mailer import Mailer, NewMail
from app.lib.security.policies import check_recent
from app.lib.security.principal import Principal
from app.lib.security.sealing import Sealer
from app.lib.webhooks.kinds import WebhookKinds
from app.lib.webhooks.urls import check_receiver_url
from app.lib.wire.decoding import FieldProblem
from app.lib.wire.dto import project

MAX_WEBHOOKS = 20
"""For each owner."""


@dataclass
class WebhookService:
    """Creates, updates and deletes webhooks. Users have their own, and see no others."""

    unit: UnitOfWork
    kinds: WebhookKinds
    sealer: Sealer
    accounts: AccountQueries
    mailer: Mailer
    origin: Origin
    settings: WebhookSettings
    _webhooks: WebhookRepository
    _sessions: SessionRepository

    async def create(self, data: WebhookCreate, actor: Principal) -> WebhookWithSecret:
        """Raises ``ValidationFailed``, ``TooManyWebhooks``, ``AccountGone`` or ``SessionEnded``."""
        self._check(data.url, data.kinds)
        if await self._webhooks.count_of(actor.user_id) >= MAX_WEBHOOKS:
            raise TooManyWebhooks(MAX_WEBHOOKS)
        webhook = WebhookEndpoint(
            id=new_id(),
            owner_id=actor.user_id,
            url=data.url,
            description=data.description,
            is_active=data.is_active,
        )
        secret = set_secret(webhook, self.sealer)
        await self._webhooks.create(webhook)
        await self._webhooks.set_kinds(webhook.id, set(data.kinds))
        await self._sessions.check_live(actor.session_id)
        await self._audit("webhook.created", webhook, kinds=sorted(set(data.kinds)))
        await self._notify(actor)
        return project(WebhookWithSecret, _to_read(webhook, data.kinds), secret=secret)

    async def update(self, webhook_id: UUID, data: WebhookUpdate, if_match: IfMatch, actor: Principal) -> WebhookRead:
        """Another URL needs a recent sign-in, because the events go there.

        Raises ``WebhookNotFound``, ``PreconditionFailed``, ``ValidationFailed``, ``ReauthRequired`` or
        ``SessionEnded``.
        """
        webhook = await self._lock(webhook_id, if_match, actor)
        former, former_url = await self._webhooks.kinds_of(webhook_id), webhook.url
        self._check(data.url or None, data.kinds or ())
        kinds = former if data.kinds is UNSET else frozenset(data.kinds)
        if data.url not in {UNSET, webhook.url}:
            check_recent(actor)
        if data.is_active is True and not webhook.is_active:
            webhook.disabled_reason = webhook.first_failed_at = None
        if await self._webhooks.update(webhook, data, touch=kinds != former):
            if kinds != former:
                await self._webhooks.set_kinds(webhook_id, kinds)
            await self._audit("webhook.updated", webhook, kinds=sorted(kinds), is_active=webhook.is_active)
            if webhook.url != former_url:
                await self._notify(actor)
        return _to_read(webhook, kinds)

    async def rotate_secret(self, webhook_id: UUID, if_match: IfMatch, actor: Principal) -> WebhookWithSecret:
        """A new secret; for another day deliveries are also signed with the present one.

        Raises ``WebhookNotFound``, ``PreconditionFailed`` or ``SessionEnded``.
        """
        webhook = await self._lock(webhook_id, if_match, actor)
        webhook.former_secret, webhook.former_secret_expires_at = webhook.secret, utc_now() + FORMER_SECRET_LIFE
        secret = set_secret(webhook, self.sealer)
        await self._webhooks.update(webhook)
        await self._audit("webhook.secret_rotated", webhook)
        read = _to_read(webhook, await self._webhooks.kinds_of(webhook_id))
        return project(WebhookWithSecret, read, secret=secret)

    async def delete(self, webhook_id: UUID, if_match: IfMatch, actor: Principal) -> None:
        """With its deliveries. Raises ``WebhookNotFound`` or ``PreconditionFailed``."""
        webhook = await self._webhooks.get_own_for_update(webhook_id, actor.user_id, if_match)
        await self._audit("webhook.deleted", webhook)
        await delete_first_deliveries(self.unit, webhook_id)
        await self._webhooks.delete(webhook)

    async def _lock(self, webhook_id: UUID, if_match: IfMatch, actor: Principal) -> WebhookEndpoint:
        """The actor's webhook. Not for one who was let in before the owner took the account back, and waited here."""
        webhook = await self._webhooks.get_own_for_update(webhook_id, actor.user_id, if_match)
        await self._sessions.check_live(actor.session_id)
        return webhook

    def _check(self, url: str | None, kinds: Sequence[str]) -> None:
        errors: list[FieldError] = []
        try:
            if url is not None:
                check_receiver_url(url, allow_private=self.settings.webhooks_allow_private)
        except FieldProblem as problem:
            errors.append(FieldError(pointer="/url", code=problem.code, detail=problem.detail))
        detail = "There is no such kind of event."
        errors += unknown_items("/kinds", kinds, self.kinds, FieldCode.INVALID_CHOICE, detail)
        if errors:
            raise ValidationFailed(errors)

    async def _notify(self, actor: Principal) -> None:
        """The owner, as of a new API key: both take data out. Nothing of the webhook, whose words may be a thief's."""
        owner, now = await self.accounts.find_credentials_of(actor.user_id), utc_now().isoformat(timespec="seconds")
        if owner is not None:
            await self.mailer.queue(self.unit, NewMail.to(owner, "webhook_changed", str(new_id()), context={"at": now}))

    async def _audit(self, kind: str, webhook: WebhookEndpoint, **details: Any) -> None:
        """Only the host, because paths and queries often hold tokens."""
        host = urlsplit(webhook.url).hostname
        await audit.record(self.unit, kind, self.origin, subject_id=webhook.id, host=host, **details)


def _to_read(webhook: WebhookEndpoint, kinds: Iterable[str]) -> WebhookRead:
    return project(WebhookRead, webhook, kinds=sorted(set(kinds)))
