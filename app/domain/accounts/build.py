from app.core import PRODUCT, Core
from app.domain.accounts.services.passwords import Passwords
from app.domain.accounts.settings import AccountSettings
from app.lib.security.password_policy import PasswordPolicy
from app.lib.security.passwords import PasswordHasher


def build(core: Core) -> None:
    """The rules for passwords, and the hasher with its threads."""
    settings = core.services.get(AccountSettings)
    policy = PasswordPolicy(settings.password_min_length, words=[PRODUCT.lower()])
    core.services.add(Passwords(PasswordHasher(), policy))
