from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Meta

from app.config import Section, Settings


class OrderSettings(Section, frozen=True, kw_only=True):
    """Unpaid orders and payments."""

    order_expire_minutes: Annotated[
        int, Meta(ge=1, le=10_080, description="How long an order may stay unpaid before it is cancelled.")
    ] = 30
    order_expire_minutes_unverified: Annotated[
        int, Meta(ge=1, le=10_080, description="The same for users without a verified address, if that is shorter.")
    ] = 10
    order_max_open: Annotated[
        int, Meta(ge=0, le=10_000, description="Unpaid orders that a user may have; 0 for any number, of any size.")
    ] = 5
    order_max_open_pieces: Annotated[
        int, Meta(ge=1, le=1_000_000_000, description="Pieces that a user may have in unpaid orders.")
    ] = 100
    payment_provider: Annotated[
        Literal["auto", "none", "test"],
        Meta(description="Who takes money: none, test (which moves none), or auto: test, and in production none."),
    ] = "auto"
    allow_test_payments: Annotated[
        bool, Meta(description="Let `PAYMENT_PROVIDER=test` run in production: orders are paid for with nothing.")
    ] = False

    def faults(self, settings: Settings) -> Iterator[str]:
        """Refuses payments that move no money in production."""
        if settings.is_production and self.payment_provider == "test" and not self.allow_test_payments:
            yield "PAYMENT_PROVIDER: test is refused in production, unless ALLOW_TEST_PAYMENTS is on"

    def provider(self, settings: Settings) -> Literal["none", "test"]:
        """The provider in use: ``auto`` is none in production, and test elsewhere."""
        if self.payment_provider == "auto":
            return "none" if settings.is_production else "test"
        return self.payment_provider
