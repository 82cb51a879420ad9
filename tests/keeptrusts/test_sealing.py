"""Texts that are kept are readable with the field key only, and only in their place."""

import base64
import os

import pytest

from keeptrusts.lib.sealing import Seal, Tampered


def _key() -> str:
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


def test_what_was_sealed_can_be_opened_in_its_place() -> None:
    seal = Seal("tests", [_key()])

    assert seal.open(seal.close(b"secret", b"here"), b"here") == b"secret"


def test_the_same_text_never_looks_the_same() -> None:
    seal = Seal("tests", [_key()])

    assert seal.close(b"secret", b"here") != seal.close(b"secret", b"here")


def test_another_place_purpose_or_key_opens_nothing() -> None:
    key = _key()
    sealed = Seal("tests", [key]).close(b"secret", b"here")

    for seal, place in (
        (Seal("tests", [key]), b"there"),
        (Seal("others", [key]), b"here"),
        (Seal("tests", [_key()]), b"here"),
    ):
        with pytest.raises(Tampered):
            seal.open(sealed, place)


@pytest.mark.parametrize("damaged", [b"", b"short", bytes(40)])
def test_what_was_not_sealed_is_told(damaged: bytes) -> None:
    with pytest.raises(Tampered):
        Seal("tests", [_key()]).open(damaged, b"here")


def test_after_a_rotation_the_old_texts_stay_readable() -> None:
    old, new = _key(), _key()
    sealed = Seal("tests", [old]).close(b"secret", b"here")
    rotated = Seal("tests", [new, old])

    assert rotated.open(sealed, b"here") == b"secret"
    with pytest.raises(Tampered):
        Seal("tests", [old]).open(rotated.close(b"secret", b"here"), b"here")
