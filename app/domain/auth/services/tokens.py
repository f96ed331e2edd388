from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from app.domain.auth.dtos.sessions import TokenPair
from app.domain.auth.repositories.sessions import SessionRow
from app.lib.security.tokens import TokenSigner, refresh_jti


class Lifetimes(msgspec.Struct, frozen=True):
    """Of an access token, of a session without use, and of a session altogether."""

    access: timedelta
    idle: timedelta
    absolute: timedelta


@dataclass
class TokenIssuer:
    """Makes the pair of tokens of one generation of a session."""

    signer: TokenSigner
    lifetimes: Lifetimes

    def issue(self, session: SessionRow, now: datetime) -> TokenPair:
        """The refresh token depends on the row alone, so the same generation gets it byte for byte again."""
        refresh = self.signer.issue_refresh(
            session.user_id,
            session.id,
            generation=session.generation,
            jti=refresh_jti(session.secret, session.generation),
            issued_at=session.rotated_at,
            expires_at=session.idle_expires_at,
        )
        return TokenPair(
            access_token=self.signer.issue_access(session.user_id, session.id, now, self.lifetimes.access),
            refresh_token=refresh,
            token_type="bearer",  # noqa: S106 - the name of a scheme
            expires_in=int(self.lifetimes.access.total_seconds()),
        )
