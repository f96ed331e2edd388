"""How the requests of this domain follow each other in ``docs/api.http``."""

from app.lib.openapi.collection import Steps

_FIRST_PASSWORD = "correct horse battery staple"  # noqa: S105 - of a user that the run creates
_SECOND_PASSWORD = "silver bridge west 44"  # noqa: S105 - of the same user, later
_PASSKEY = "a passkey, which only a browser makes."
_MAIL = "the code of a mail."
_SECOND_FACTOR = "an account with a second factor."
_SECOND_USER = {"username": "{{createSecondUser.response.body.email}}", "password": _SECOND_PASSWORD}
_SERVICE_KEY = {"user_id": "{{setUserRoles.response.body.id}}"}


def _token(sign_in: str) -> dict[str, str]:
    return {"token": f"{{{{{sign_in}.response.body.access_token}}}}"}


STEPS = Steps(
    last=("refresh", "logoutOthers", "logout", "endSession", "logoutAll"),
    repeats={
        "loginAsSecondUser": "login",
        "loginToEnd": "login",
        "listSessionsToEnd": "listSessions",
        "loginToSignOutEverywhere": "login",
        "loginToDelete": "login",
    },
    values={
        "loginAsSecondUser": _SECOND_USER | {"password": _FIRST_PASSWORD},
        "requestEmailChange": {"email": "changed-{{$timestamp}}@example.com"},
        "changePassword": _token("loginAsSecondUser")
        | {"current_password": _FIRST_PASSWORD, "new_password": _SECOND_PASSWORD},
        "loginToEnd": _SECOND_USER,
        "loginToSignOutEverywhere": _SECOND_USER,
        "loginToDelete": _SECOND_USER,
        "createServiceApiKey": _SERVICE_KEY,
        "listUserApiKeys": _SERVICE_KEY,
        "getUserApiKey": _SERVICE_KEY,
        "revokeUserApiKey": _SERVICE_KEY,
        "forgotPassword": {"email": "{{email}}"},
        "sendVerificationCode": {"email": "{{email}}"},
        "reauthenticate": {"password": "{{password}}", "code": None},
        "refresh": {"refresh_token": "{{login.response.body.refresh_token}}"},
        "deleteMe": _token("loginToDelete"),
        "logout": _token("changePassword"),
        "logoutAll": _token("loginToSignOutEverywhere"),
        "listSessionsToEnd": _token("loginToEnd"),
        "endSession": _token("loginToEnd") | {"session_id": "{{listSessionsToEnd.response.body.items[0].id}}"},
    },
    lacks={
        "createPasskey": _PASSKEY,
        "getPasskey": _PASSKEY,
        "updatePasskey": _PASSKEY,
        "deletePasskey": _PASSKEY,
        "signInWithPasskey": _PASSKEY,
        "signInWithPasskeyAsSecondFactor": _PASSKEY,
        "reauthenticateWithPasskey": _PASSKEY,
        "getPasskeyReauthenticationOptions": _PASSKEY,
        "getPasskeySecondFactorOptions": _PASSKEY,
        "confirmTotp": "a code of the app that makes codes.",
        "removeTotp": _SECOND_FACTOR,
        "disableMfa": _SECOND_FACTOR,
        "renewRecoveryCodes": _SECOND_FACTOR,
        "loginMfa": _SECOND_FACTOR,
        "changeEmail": _MAIL,
        "resetPassword": _MAIL,
        "revertEmail": _MAIL,
        "verifyEmail": _MAIL,
        "sendReauthenticationCode": "an account without a password.",
    },
)
