import pytest

from app.lib.security.sealing import CannotUnseal, Sealer

pytestmark = pytest.mark.asvs("11.3.2")

OLD, NEW, OTHER = b"o" * 32, b"n" * 32, b"x" * 32


def test_what_is_sealed_is_read_again_and_not_seen() -> None:
    sealer = Sealer(NEW)

    sealed = sealer.seal(b"a secret", b"row 1")

    assert sealer.open(sealed, b"row 1") == b"a secret"
    assert b"secret" not in sealed
    assert len(sealed) == len(b"a secret") + 33
    assert sealer.seal(b"a secret", b"row 1") != sealed


def test_a_former_key_opens_until_it_goes() -> None:
    sealed = Sealer(OLD).seal(b"a secret", b"row")
    rotated = Sealer(NEW, [OLD])

    assert rotated.open(sealed, b"row") == b"a secret"
    assert not rotated.is_current(sealed)
    assert rotated.is_current(rotated.seal(b"a secret", b"row"))
    with pytest.raises(CannotUnseal):
        Sealer(NEW, [OTHER]).open(sealed, b"row")


def test_a_secret_belongs_to_its_row() -> None:
    sealer = Sealer(NEW)

    with pytest.raises(CannotUnseal):
        sealer.open(sealer.seal(b"a secret", b"row 1"), b"row 2")


def test_every_byte_counts() -> None:
    sealer = Sealer(NEW)
    sealed = sealer.seal(b"a secret", b"row")

    for i in range(len(sealed)):
        broken = sealed[:i] + bytes([sealed[i] ^ 1]) + sealed[i + 1 :]
        with pytest.raises(CannotUnseal):
            sealer.open(broken, b"row")
        with pytest.raises(CannotUnseal):
            sealer.open(sealed[:i], b"row")


def test_the_same_key_twice_is_one() -> None:
    sealer = Sealer(NEW, [NEW, OLD])

    assert sealer.open(sealer.seal(b"a secret", b"row"), b"row") == b"a secret"
