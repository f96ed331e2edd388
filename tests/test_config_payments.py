"""Who takes money, and that no goods are given away by oversight."""

import pytest

from app.domain.orders.settings import OrderSettings
from tests.support.environment import settings_from
from tests.test_config import production


@pytest.mark.parametrize(
    ("environ", "provider"),
    [
        ({}, "test"),
        ({"PAYMENT_PROVIDER": "none"}, "none"),
        (production(), "none"),
        (production(ALLOW_TEST_PAYMENTS="true"), "none"),
        (production(ALLOW_TEST_PAYMENTS="true", PAYMENT_PROVIDER="test"), "test"),
    ],
)
def test_production_has_no_payment_provider_unless_set(environ: dict[str, str], provider: str) -> None:
    settings = settings_from(**environ)

    assert settings.section(OrderSettings).provider(settings) == provider
