"""Passwords of people: text enters, an argon2 hash or a verdict leaves, in the same time whether or not the account is
there, and never so many at once that memory runs out (each takes 64 MiB)."""

from __future__ import annotations

import threading
from functools import cache
from typing import Final

from pwdlib import PasswordHash
from pwdlib.exceptions import PwdlibError
from pwdlib.hashers.argon2 import Argon2Hasher

from core.errors import Unavailable

_HASHER: Final = PasswordHash((Argon2Hasher(),))
_SLOTS: Final = threading.BoundedSemaphore(4)
_SLOT_WAIT_SECONDS: Final = 10.0


def hash_password(password: str) -> str:
    """The argon2id hash to store."""
    with _Slot():
        return _HASHER.hash(password)


def verify_password(password: str, password_hash: str | None) -> bool:
    """Whether the password fits; for an account that is not there (None) the same work is done in vain."""
    with _Slot():
        try:
            fits = _HASHER.verify(password, password_hash or _dummy())
        except PwdlibError:
            return False
    return fits and password_hash is not None


class _Slot:
    def __enter__(self) -> None:
        if not _SLOTS.acquire(timeout=_SLOT_WAIT_SECONDS):
            raise Unavailable("too many people are signing in at this moment")

    def __exit__(self, *_: object) -> None:
        _SLOTS.release()


@cache
def _dummy() -> str:
    return _HASHER.hash("nobody has this password")
