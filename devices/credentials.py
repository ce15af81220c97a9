"""Device passwords: the platform's key, a device's salt and its broker name enter, the password or a verdict leaves.

Passwords are derived and never stored: whoever holds the key (the broker's account keeper) can write them again, and a
copy of the database alone opens nothing. A new salt makes a new password.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import Final

SALT_BYTES: Final = 16
PASSWORD_CHARS: Final = 32


def new_salt() -> bytes:
    """Fresh random bytes for one device."""
    return secrets.token_bytes(SALT_BYTES)


def derive_password(device_key: str, salt: bytes, username: str) -> str:
    """The password of one device: base64url(HMAC-SHA256(key, salt || username)), its first 32 characters (192 bits)."""
    digest = hmac.new(device_key.encode(), salt + username.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode()[:PASSWORD_CHARS]


def hash_password(password: str) -> bytes:
    """What the database keeps to check a password.

    Plain SHA-256: the password has 192 random bits, so there is nothing to guess and a slow hash would add only delay.
    """
    return hashlib.sha256(password.encode()).digest()


def verify_password(password_hash: bytes, password: str) -> bool:
    """Whether the password is the one hashed, compared in constant time."""
    return hmac.compare_digest(bytes(password_hash), hash_password(password))
