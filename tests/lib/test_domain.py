import pytest

from app.asgi import DOMAINS
from app.lib.domain import Domain, Permission, collect_permissions


def test_the_registry_has_the_permissions_of_all_domains() -> None:
    read, write = Permission("toys:read", "See toys."), Permission("toys:write", "Change toys.")
    domains = (Domain(name="a", permissions=(read,)), Domain(name="b"), Domain(name="c", permissions=(write,)))

    assert collect_permissions(domains) == {"toys:read": read, "toys:write": write}


def test_no_two_domains_may_claim_a_permission() -> None:
    read = Permission("toys:read", "See toys.")

    with pytest.raises(ValueError, match="toys:read is declared twice"):
        collect_permissions((Domain(name="a", permissions=(read,)), Domain(name="b", permissions=(read,))))


def test_the_domains_of_the_service_have_names_of_their_own_and_described_permissions() -> None:
    assert len({domain.name for domain in DOMAINS}) == len(DOMAINS)
    for permission in collect_permissions(DOMAINS).values():
        resource, _, action = permission.code.partition(":")
        assert resource
        assert action
        assert permission.description.endswith(".")
