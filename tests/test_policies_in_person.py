"""What only users who signed in themselves may do: no key, and no support that acts as them."""

import re

import pytest
from litestar import Litestar

from app.lib.security.policies import ANY_MEANS, IN_PERSON, IN_SESSION, HasPermission
from tests.test_policies_walk import SAFE, Endpoint, endpoints

API = "/api/v1"
SENSITIVE = re.compile(
    rf"{API}/auth/(?!logout$).*"
    rf"|{API}/users/me/(password|email|mfa|passkeys|identities|api-keys|export).*"
    rf"|{API}/users/[^/]+/(roles|api-keys|impersonate|impersonation|mfa|password|send-password-reset|activate).*"
    rf"|{API}/service-accounts.*"
)
GRANTING = {"roles:write", "users:impersonate"}


OPEN_TO_KEYS = {
    f"PATCH {API}/users/me",
    f"PATCH {API}/users/me/profile",
    f"PUT {API}/users/me/profile",
    f"PATCH {API}/users/me/notification-preferences",
    f"PATCH {API}/users/{{user_id:uuid}}",  # names only: address and flags need the user's own recent sign-in
    f"PATCH {API}/users/{{user_id:uuid}}/profile",
    f"POST {API}/users/{{user_id:uuid}}/deactivate",
}
"""All that keys can change about users."""
ABOUT_USERS = re.compile(rf"{API}/(auth|users|roles|permissions|service-accounts)(/.*)?|/account/.*")


def is_sensitive(endpoint: Endpoint) -> bool:
    """About credentials, sessions, keys, step-up, creation and deletion of users, or what grants rights."""
    code = endpoint.policy.code if isinstance(endpoint.policy, HasPermission) else None
    about_user = re.fullmatch(rf"DELETE {API}/users/[^/]+|POST {API}/users", f"{endpoint.method} {endpoint.path}")
    return bool(SENSITIVE.fullmatch(endpoint.path) or code in GRANTING or about_user)


@pytest.mark.asvs("6.3.3", "7.5.1", "8.2.1")
def test_no_sensitive_route_takes_a_key_or_an_impersonator(shared_app: Litestar) -> None:
    walked = [each for each in endpoints(shared_app) if each.policy.reads_credentials and is_sensitive(each)]

    assert len(walked) > 12
    assert [each for each in walked if each.policy.means != IN_PERSON] == []


@pytest.mark.asvs("8.2.1")
def test_what_keys_can_change_about_users_is_on_a_list(shared_app: Litestar) -> None:
    """A new route about accounts or sign-in is closed to keys, or is added above by one who has thought of it."""
    found = {
        f"{each.method} {each.path}"
        for each in endpoints(shared_app)
        if each.method not in SAFE and "api_key" in each.policy.means and each.policy.reads_credentials
        if ABOUT_USERS.fullmatch(each.path)
    }

    assert found == OPEN_TO_KEYS


def test_a_session_of_support_ends_by_sign_out(shared_app: Litestar) -> None:
    by_session = {each.path for each in endpoints(shared_app) if each.policy.means == IN_SESSION}

    assert f"{API}/auth/logout" in by_session


def test_other_routes_ask_for_no_means(shared_app: Litestar) -> None:
    """So that keys are good wherever an access token is."""
    walked = [each for each in endpoints(shared_app) if not getattr(each.policy, "fresh", False)]
    refused = {each.path for each in walked if each.policy.means != ANY_MEANS and not is_sensitive(each)}

    assert refused == {f"{API}/auth/logout"}
