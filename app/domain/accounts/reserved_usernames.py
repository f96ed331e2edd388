"""Usernames that no user gets: they would be taken for the service itself, or for one of its pages."""

import re

from app.lib.text import casefold_key

_NAMES = """
    admin administrator administrators root superuser sudo sysadmin system sysop operator owner staff team
    moderator moderators official support help helpdesk service services security abuse postmaster hostmaster
    webmaster mailer-daemon noreply no-reply info contact mail email newsletter press sales billing payment payments
    legal privacy terms about api app apps www web ftp smtp imap dns cdn static assets status health metrics docs
    problems me self you all everyone here channel anonymous guest null none undefined user users username account
    accounts profile profiles role roles permission permissions auth oauth login logout signin signout signup
    register registration password passwords session sessions token tokens settings config post posts feed tag tags
    product products order orders room rooms realtime webhook webhooks job jobs notification notifications
"""
_SEPARATORS = re.compile(r"[\s._-]+")


class ReservedUsernames:
    """These names, and that of the product."""

    def __init__(self, product: str) -> None:
        self._keys = {*map(casefold_key, _NAMES.split()), _SEPARATORS.sub("", casefold_key(product))}

    def __contains__(self, key: str) -> bool:
        """Whether a username, by its canonical key, reads like one of these: dots, hyphens and underscores aside.
        Digits for letters are left alone: ``adm1n`` reads otherwise.
        """
        return key in self._keys or _SEPARATORS.sub("", key) in self._keys
