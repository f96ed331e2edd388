"""Secrets of mails that are not sent yet."""

import pytest

from app.lib.mail.sealing import SealBroken, Sealer

OLD, NEW, OTHER = b"o" * 32, b"n" * 32, b"x" * 32


def test_what_is_sealed_can_be_opened_and_not_read() -> None:
    sealed = Sealer([NEW]).seal({"token": "abc123"})

    assert sealed is not None
    assert b"abc123" not in sealed
    assert Sealer([NEW]).open(sealed) == {"token": "abc123"}


def test_keys_are_rotated() -> None:
    sealed = Sealer([OLD]).seal({"token": "abc123"})

    assert Sealer([NEW, OLD]).open(sealed) == {"token": "abc123"}
    with pytest.raises(SealBroken):
        Sealer([OTHER]).open(sealed)


def test_what_was_changed_is_refused() -> None:
    sealed = Sealer([NEW]).seal({"token": "abc123"})

    assert sealed is not None
    with pytest.raises(SealBroken):
        Sealer([NEW]).open(sealed[:-2] + b"A=")


def test_without_secrets_there_is_nothing() -> None:
    assert Sealer([NEW]).seal({}) is None
    assert Sealer([NEW]).open(None) == {}
