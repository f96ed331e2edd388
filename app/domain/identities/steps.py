"""How the requests of this domain follow each other in ``docs/api.http``."""

from app.lib.openapi.collection import Steps

_PROVIDER = "a provider of OIDC_PROVIDERS, and a user who signs in there."

STEPS = Steps(
    lacks=dict.fromkeys(
        (
            "authorizeSignIn",
            "loginWithProvider",
            "authorizeReauthentication",
            "reauthenticateWithProvider",
            "authorizeLink",
            "linkIdentity",
            "unlinkIdentity",
        ),
        _PROVIDER,
    )
)
