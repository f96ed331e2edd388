"""``app keys``: new keys, and how to change keys without ending sessions."""

import secrets

import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from app.lib.cli.called import say
from app.lib.cli.errors import CommandFailed
from app.lib.cli.running import run
from app.lib.security.resealing import reseal_all

_HINTS = {
    "secret": """\
For a new service: set SECRET_KEY to it.

To change the key of a running service without ending sessions:
  1. Put the new key into SECRET_KEY_FALLBACKS. Restart all workers.
  2. Set SECRET_KEY to the new key, and put the old one into SECRET_KEY_FALLBACKS in its place. Restart all workers.
  3. After REFRESH_TOKEN_EXPIRE_DAYS, remove the old key from SECRET_KEY_FALLBACKS.
A service that stops for the change begins with step 2.

In an emergency, when someone else may know the key:
  1. Set SECRET_KEY to the new key, and put the old one into SECRET_KEY_FALLBACKS. Restart all workers.
  2. Run 'app keys reseal' at once: it seals what the old key has sealed (secrets of apps that make codes, of webhooks,
     and mails that wait) with the new one.
  3. Remove the old key from SECRET_KEY_FALLBACKS. Restart. Access tokens that it signed are refused, and clients go on
     by their refresh tokens, which no key alone can forge.
Between 1 and 3, some minutes, one who has the old key can still make access tokens. Where that is too long, stop the
service for them. If the old key is left out of step 1, codes of apps fail (recovery codes and passkeys work), and
deliveries of webhooks and waiting mails fail until it is back or their owners make new ones.
Who may have read the database as well has those secrets: new ones are needed then, by their owners.""",
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
    """Make keys, change them, and explain how."""


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
    say(_HINTS[kind])


@keys.command()
def reseal() -> None:
    """Seal again, with SECRET_KEY, what a key of SECRET_KEY_FALLBACKS has sealed. A job does it each hour, too."""
    counts = run(lambda core: reseal_all(core.database, core.sealer))
    click.echo(f"{counts['resealed']} secrets were sealed with the present key.")
    if counts["unreadable"]:
        raise CommandFailed(
            f"{counts['unreadable']} secrets cannot be opened by any key.",
            "Put the key that sealed them into SECRET_KEY_FALLBACKS. The log has their ids.",
        )
