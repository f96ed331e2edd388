"""Secrets of mails that are not sent yet."""

import pytest

from app.lib.db.base import new_id
from app.lib.mail.sealing import seal, unseal
from app.lib.security.sealing import CannotUnseal, Sealer

OLD, NEW = Sealer(b"o" * 32), Sealer(b"n" * 32, [b"o" * 32])
MAIL = new_id()


def test_what_is_sealed_can_be_opened_and_not_read() -> None:
    sealed = seal(NEW, {"token": "abc123"}, MAIL)

    assert sealed is not None
    assert b"abc123" not in sealed
    assert unseal(NEW, sealed, MAIL) == {"token": "abc123"}


def test_keys_are_rotated() -> None:
    assert unseal(NEW, seal(OLD, {"token": "abc123"}, MAIL), MAIL) == {"token": "abc123"}
    with pytest.raises(CannotUnseal):
        unseal(OLD, seal(NEW, {"token": "abc123"}, MAIL), MAIL)


def test_what_was_changed_or_moved_to_another_mail_is_refused() -> None:
    sealed = seal(NEW, {"token": "abc123"}, MAIL)

    assert sealed is not None
    for tampered, mail_id in ((sealed[:-1] + bytes([sealed[-1] ^ 1]), MAIL), (sealed, new_id())):
        with pytest.raises(CannotUnseal):
            unseal(NEW, tampered, mail_id)


def test_without_secrets_there_is_nothing() -> None:
    assert seal(NEW, {}, MAIL) is None
    assert unseal(NEW, None, MAIL) == {}
