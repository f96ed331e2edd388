from app.core import Core
from app.domain.accounts.reserved_usernames import ReservedUsernames
from app.domain.accounts.services.passwords import Passwords
from app.domain.accounts.settings import AccountSettings
from app.lib.export import Exports
from app.lib.security.password_policy import PasswordPolicy
from app.lib.security.passwords import PasswordHasher


def build(core: Core) -> None:
    """The rules for passwords, the hasher with its threads, and what users may take along."""
    settings = core.services.get(AccountSettings)
    name = core.settings.product_name
    policy = PasswordPolicy(settings.password_min_length, words=[name, "".join(name.split())])
    core.services.add(ReservedUsernames(name))
    core.services.add(Passwords(PasswordHasher(), policy))
    core.services.add(Exports(part for domain in core.domains for part in domain.exports))
