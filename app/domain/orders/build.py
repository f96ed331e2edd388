from app.core import Core
from app.domain.orders.services.provider import NoProvider, PaymentProvider
from app.domain.orders.services.sandbox import SandboxProvider
from app.domain.orders.settings import OrderSettings


def build(core: Core) -> None:
    """The payment provider. Another provider is one more value of ``PAYMENT_PROVIDER``, and one more line here."""
    settings = core.settings.section(OrderSettings)
    provider: PaymentProvider = NoProvider()
    if settings.provider(core.settings) == "test":
        provider = SandboxProvider(core.database)
    core.services.add(settings)
    core.services.add(provider, PaymentProvider)
