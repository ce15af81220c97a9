"""Device passwords: derived the same way by anyone who holds the key, and by nobody else."""

from __future__ import annotations

import base64
import hashlib
import hmac

from core.vocabulary import DEVICE_KINDS
from devices.credentials import PASSWORD_CHARS, SALT_BYTES, derive_password, hash_password, new_salt, verify_password
from devices.registry import SUPERVISION_SECONDS

KEY = "k" * 40


def test_the_password_is_the_documented_derivation() -> None:
    salt = bytes(range(16))
    digest = hmac.new(KEY.encode(), salt + b"demo.wb-1", hashlib.sha256).digest()
    assert derive_password(KEY, salt, "demo.wb-1") == base64.urlsafe_b64encode(digest).decode()[:32]


def test_key_salt_and_name_each_change_it() -> None:
    salt = new_salt()
    assert len(salt) == SALT_BYTES
    passwords = {
        derive_password(KEY, salt, "demo.wb-1"),
        derive_password(KEY, new_salt(), "demo.wb-1"),
        derive_password(KEY, salt, "demo.wb-2"),
        derive_password("x" * 40, salt, "demo.wb-1"),
    }
    assert len(passwords) == 4
    assert {len(password) for password in passwords} == {PASSWORD_CHARS}


def test_a_password_is_checked_against_its_hash() -> None:
    password = derive_password(KEY, new_salt(), "demo.wb-1")
    assert verify_password(hash_password(password), password)
    assert verify_password(memoryview(hash_password(password)), password)  # type: ignore[arg-type]  # as drivers give
    assert not verify_password(hash_password(password), password[:-1])
    assert not verify_password(b"", password)


def test_every_kind_has_a_supervision_time_the_database_takes() -> None:
    assert set(SUPERVISION_SECONDS) == set(DEVICE_KINDS)
    assert all(30 <= seconds <= 604_800 for seconds in SUPERVISION_SECONDS.values())
