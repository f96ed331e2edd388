from typing import Annotated

from msgspec import Meta

from app.config import Section


class AccountSettings(Section, frozen=True, kw_only=True):
    """Passwords."""

    password_min_length: Annotated[
        int, Meta(ge=8, le=128, description="15 is advised where there is no second factor.")
    ] = 8
