"""Second factors on the wire."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from app.domain.auth.dtos.links import LinkToken
from app.domain.auth.dtos.sessions import SecondFactorCode
from app.lib.wire.decoding import Hint
from app.lib.wire.dto import Input, Output
from app.lib.wire.fields import END

RecoveryCodeList = Annotated[
    list[Annotated[str, Meta(max_length=40)]],
    Meta(max_length=10, examples=[["4k7m-q2xd-9vfh-c3wt-8nbz-5rjy", "7d2p-w8hk-3nxb-m6qv-t4zc-9fjr"]]),
]


class MfaRead(Output):
    """The second factors of the current user."""

    is_on: Annotated[
        bool, Meta(examples=[True], description="Whether a sign-in with the password needs a second factor.")
    ]
    is_required: Annotated[bool, Meta(description="Whether one of your roles requires a second factor.")]
    totp_confirmed_at: Annotated[datetime, Meta(examples=["2026-01-31T12:05:00Z"])] | None
    recovery_codes_left: Annotated[int, Meta(ge=0, le=10, examples=[10])]


class TotpEnrollment(Output):
    """A secret for an app that makes codes (RFC 6238). It is shown once, and good for 10 minutes until a code confirms
    it.
    """

    secret: Annotated[str, Meta(max_length=64, examples=["JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"])]
    otpauth_url: Annotated[
        str,
        Meta(
            max_length=2000,
            examples=["otpauth://totp/Example:ada%40example.com?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"],
        ),
    ]
    qr_svg: Annotated[
        str, Meta(max_length=50_000, examples=["<svg …>"], description="The URL as a QR code, to be shown by the page.")
    ]


class TotpConfirmation(Input):
    """A code of the app that was set up."""

    code: Annotated[
        str,
        Meta(pattern=rf"^[0-9]{{3}} ?[0-9]{{3}}{END}", max_length=7, examples=["492039"]),
        Hint("Must be the six digits of the app."),
    ]


class RecoveryCodesRead(Output):
    """Codes that stand for the second factor, each once. They are not shown again."""

    recovery_codes: RecoveryCodeList


class MfaSignIn(Input):
    """What a sign-in answered with, and a code."""

    mfa_token: LinkToken
    code: SecondFactorCode
