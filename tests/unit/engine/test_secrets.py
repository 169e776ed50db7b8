"""How secrets are made and stored."""

from __future__ import annotations

import re

import pytest

from bellwire.engine.secrets import hash_password, hash_secret, new_secret, same_secret, verify_password


def test_a_secret_is_url_safe_and_never_the_same() -> None:
    made = {new_secret() for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", secret) for secret in made)


def test_a_secret_is_never_taken_for_an_option() -> None:
    assert not any(new_secret(3).startswith("-") for _ in range(2000))


def test_a_secret_is_known_again_by_its_hash() -> None:
    stored = hash_secret("abc")
    assert stored.hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert same_secret("abc", stored)
    assert not same_secret("abd", stored)


def test_a_secret_of_any_text_can_be_hashed() -> None:
    assert not same_secret("\ud800", hash_secret("x"))


def test_a_password_is_known_again_and_no_other_is() -> None:
    stored = hash_password("Grün-7!")
    assert verify_password("Grün-7!", stored)
    assert not verify_password("Grun-7!", stored)
    assert not verify_password("", stored)


def test_the_same_password_is_stored_differently_each_time() -> None:
    assert hash_password("same") != hash_password("same")


@pytest.mark.parametrize("password", ["", "x" * 257, "é" * 129])
def test_a_password_of_unusable_length_is_not_stored(password: str) -> None:
    with pytest.raises(ValueError, match="1 to 256 bytes"):
        hash_password(password)


def test_an_overlong_guess_is_refused_without_hashing_it() -> None:
    assert not verify_password("x" * 10_000, hash_password("x"))


@pytest.mark.parametrize("stored", [b"", b"\x01" * 51, b"\x02" + b"\x01" * 51, b"\x01\xff" + b"\x01" * 50])
def test_a_damaged_stored_password_is_reported(stored: bytes) -> None:
    with pytest.raises(ValueError, match="stored password"):
        verify_password("x", stored)
