"""``app keys``: new keys, and how to change keys without ending sessions."""

import secrets

import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

_HINTS = {
    "secret": """\
For a new service: set SECRET_KEY to it.

To change the key of a running service without ending sessions:
  1. Put the new key into SECRET_KEY_FALLBACKS. Restart all workers.
  2. Set SECRET_KEY to the new key, and put the old one into SECRET_KEY_FALLBACKS in its place. Restart all workers.
  3. After REFRESH_TOKEN_EXPIRE_DAYS, remove the old key from SECRET_KEY_FALLBACKS.
A service that stops for the change begins with step 2. A key that someone else may know is removed at once: leave it
out of SECRET_KEY_FALLBACKS, and all sign in again.""",
    "ed25519": """\
For a new service: save it to a file and set JWT_PRIVATE_KEY_FILE to its path. Set SECRET_KEY as well.

To change the key of a running service without ending sessions, or to go from SECRET_KEY to it:
  1. Put the new key into JWT_PRIVATE_KEY_FALLBACKS. Restart all workers, and wait for five minutes, until those who
     verify tokens by /.well-known/jwks.json have it.
  2. Set JWT_PRIVATE_KEY to the new key, and put the old one, if there is one, into JWT_PRIVATE_KEY_FALLBACKS in its
     place. If tokens were signed with SECRET_KEY until now, put that key into SECRET_KEY_FALLBACKS as well. Restart.
  3. After REFRESH_TOKEN_EXPIRE_DAYS, remove the old key from its fallbacks.
To go back to SECRET_KEY: remove JWT_PRIVATE_KEY, and put that key into JWT_PRIVATE_KEY_FALLBACKS for as long.
JWT_PRIVATE_KEY_FALLBACKS takes public keys, too, and several keys with commas between them.""",
}


@click.group()
def keys() -> None:
    """Make keys, and explain how to change them."""


@keys.command()
@click.argument("kind", type=click.Choice([*_HINTS]), default="secret")
def generate(kind: str) -> None:
    """Make a key: a secret for SECRET_KEY, or an ed25519 key for JWT_PRIVATE_KEY.

    The key alone goes to standard output, what to do with it to standard error. Nothing is stored.
    """
    if kind == "secret":
        click.echo(secrets.token_urlsafe(48))
    else:
        key = Ed25519PrivateKey.generate()
        click.echo(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(), nl=False)
    click.echo(_HINTS[kind], err=True)
