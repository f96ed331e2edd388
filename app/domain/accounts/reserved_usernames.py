"""Usernames that no user gets: they would be taken for the service itself, or for one of its pages."""

import re

from app.core import PRODUCT
from app.lib.text import casefold_key

_RESERVED = frozenset(
    map(
        casefold_key,
        f"""
        {PRODUCT} admin administrator administrators root superuser sudo sysadmin system sysop operator owner staff team
        moderator moderators official support help helpdesk service services security abuse postmaster hostmaster
        webmaster mailer-daemon noreply no-reply info contact mail email newsletter press sales billing payment payments
        legal privacy terms about api app apps www web ftp smtp imap dns cdn static assets status health metrics docs
        problems me self you all everyone here channel anonymous guest null none undefined user users username account
        accounts profile profiles role roles permission permissions auth oauth login logout signin signout signup
        register registration password passwords session sessions token tokens settings config post posts feed tag tags
        product products order orders room rooms realtime webhook webhooks job jobs notification notifications
        """.split(),
    )
)
_SEPARATORS = re.compile(r"[._-]+")


def is_reserved(key: str) -> bool:
    """Whether a username, by its canonical key, reads like one of these: dots, hyphens and underscores aside. Digits
    for letters are left alone: ``adm1n`` reads otherwise.
    """
    return key in _RESERVED or _SEPARATORS.sub("", key) in _RESERVED
