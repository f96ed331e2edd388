"""A real identity provider: `oidc-provider-mock`, a server of its own on Authlib's provider, which the tests start.

Added to it are what it lacks: PKCE by Authlib's own extension, other keys in place of its own, GitHub's paths, and ways
to behave badly.
"""

import json
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import flask
import httpx
from authlib.deprecate import AuthlibDeprecationWarning
from authlib.oauth2.rfc7636 import CodeChallenge
from joserfc import jws, jwt
from joserfc.jwk import RSAKey

with warnings.catch_warnings():  # it uses what Authlib will have otherwise one day
    warnings.simplefilter("ignore", AuthlibDeprecationWarning)
    from oidc_provider_mock import _app as mock
    from oidc_provider_mock._server import _threaded_server
    from oidc_provider_mock._storage import Storage, storage

REDIRECTS = [f"http://127.0.0.1:8000/account/sign-in/{name}" for name in ("acme", "other", "hub")]
HUB = "/login/oauth"
Forge = Callable[[dict[str, Any]], str]


_config = mock.OpenIDCode.get_jwt_config


def _with_its_key_read_once(code: Any, grant: Any, client: object = None) -> dict[str, Any]:
    """It would read its key again for every token, and that takes longer than the rest of a sign-in."""
    config: dict[str, Any] = _config(code, grant, client)
    return {**config, "key": _read(json.dumps(config["key"]))}


@cache
def _read(key: str) -> RSAKey:
    return RSAKey.import_key(json.loads(key))


mock.OpenIDCode.get_jwt_config = _with_its_key_read_once


class Challenges(CodeChallenge):
    """Authlib's check of PKCE, with the challenges that came with the requests."""

    def __init__(self) -> None:
        super().__init__(required=True)
        self.by_code: dict[str, str] = {}

    def get_authorization_code_challenge(self, authorization_code: Any) -> str | None:
        return self.by_code.get(authorization_code.code)

    def get_authorization_code_challenge_method(self, authorization_code: Any) -> str:
        return "S256"


class IdentityProvider:
    """``answers`` are responses by path that stand in for its own; ``forge`` makes the ID token from its claims."""

    def __init__(self) -> None:
        self.app = mock.app(require_client_registration=True)
        self.answers: dict[str, Callable[[], Any]] = {}
        self.forge: Forge | None = None
        self.without_email = False
        self.asked: list[str] = []
        self.let_go = threading.Event()
        self.port = 0
        self.client_id = self.client_secret = self.hub_id = self.hub_secret = ""
        self._challenges = Challenges()
        self._browser = httpx.Client(verify=False, trust_env=False)  # noqa: S501 - there is no TLS on this machine
        self._storage: Storage | None = None
        self._key: RSAKey | None = None
        self.app.before_request(self._before)
        self.app.after_request(self._after)
        self.app.add_url_rule(f"{HUB}/authorize", "hub_authorize", mock.authorize, methods=["GET", "POST"])
        self.app.add_url_rule(f"{HUB}/access_token", "hub_token", mock.issue_token, methods=["POST"])
        for path in ("/user", "/user/emails"):
            view = mock.require_oauth()(lambda path=path: flask.jsonify(self._hub_user()[path]))
            self.app.add_url_rule(f"/api/v3{path}", f"hub{path}", view)

    @property
    def issuer(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def other_issuer(self) -> str:
        """The server takes its name from the request."""
        return f"http://127.0.0.1:{self.port}"

    def register(self, auth_method: str) -> tuple[str, str]:
        """Makes a client of it."""
        body = {"redirect_uris": REDIRECTS, "token_endpoint_auth_method": auth_method}
        client = self._browser.post(f"{self.issuer}/oauth2/clients", json=body).json()
        return client["client_id"], client["client_secret"]

    def configs(self) -> str:
        """``OIDC_PROVIDERS``."""
        client = {"client_id": self.client_id, "client_secret": self.client_secret}
        hub = {"client_id": self.hub_id, "client_secret": self.hub_secret}
        return json.dumps(
            [
                {"name": "acme", "title": "Acme & Sons", "issuer": self.issuer, **client},
                {"name": "other", "issuer": self.other_issuer, **client},
                {"name": "hub", "kind": "github", "issuer": self.other_issuer, **hub},
            ]
        )

    def forget(self) -> None:
        """Behaves well again."""
        self.answers.clear()
        self.asked.clear()
        self.forge = None
        self.without_email = False

    def add(self, subject: str, **claims: Any) -> None:
        """A person who can sign in there."""
        response = self._browser.put(f"{self.issuer}/users/{subject}", json=claims)
        assert response.status_code == 204, response.text

    def come_back(self, authorization_url: str, subject: str) -> dict[str, str]:
        """Signs the person in, in the browser, and returns what it comes back with."""
        response = self._browser.post(authorization_url, data={"sub": subject})
        assert response.status_code == 302, response.text
        return dict(parse_qsl(urlsplit(response.headers["location"]).query))

    @property
    def key(self) -> RSAKey:
        """It signs with this one."""
        if self._key is None:
            assert self._storage is not None
            self._key = RSAKey.import_key(self._storage.jwk.as_dict(is_private=True))
            self._key.ensure_kid()
        return self._key

    def rotate(self) -> None:
        """Other keys from now on."""
        assert self._storage is not None
        self._storage.jwk = Storage().jwk
        self._key = None

    def hang(self) -> None:
        """Says nothing until the test is over."""
        self.let_go.wait(60)

    def _before(self) -> Any:
        self.asked.append(flask.request.path)
        self._storage = storage._get_current_object()
        for grant, extensions in flask.g._authlib_authorization_server._authorization_grants:
            if grant is mock.AuthorizationCodeGrant and self._challenges not in extensions:
                extensions.append(self._challenges)
        answer = self.answers.get(flask.request.path)
        return answer() if answer else None

    def _after(self, response: flask.Response) -> flask.Response:
        if flask.request.path.endswith("/authorize") and response.status_code == 302:
            came = dict(parse_qsl(urlsplit(response.headers["location"]).query))
            self._challenges.by_code[came.get("code", "")] = flask.request.args.get("code_challenge", "")
        forge = self._drop_email if self.without_email else self.forge
        if forge is not None and flask.request.path == "/oauth2/token" and response.status_code == 200:
            tokens = response.get_json()
            claims = json.loads(jws.extract_compact(tokens["id_token"].encode()).payload)
            response.set_data(json.dumps({**tokens, "id_token": forge(claims)}))
        return response

    def _drop_email(self, claims: dict[str, Any]) -> str:
        kept = {name: value for name, value in claims.items() if not name.startswith("email")}
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, kept, self.key)

    @staticmethod
    def _hub_user() -> dict[str, Any]:
        user = mock.flask_oauth2.current_token.get_user()
        return {
            "/user": {"id": int(user.sub), "login": user.claims.get("login"), "name": user.claims.get("name")},
            "/user/emails": user.claims.get("emails", []),
        }


@contextmanager
def identity_provider() -> Iterator[IdentityProvider]:
    provider = IdentityProvider()
    with _threaded_server(provider.app, host="localhost") as server:
        provider.port = server.server_port
        provider.client_id, provider.client_secret = provider.register("client_secret_basic")
        provider.hub_id, provider.hub_secret = provider.register("client_secret_post")
        try:
            yield provider
        finally:
            provider.let_go.set()
            provider._browser.close()
