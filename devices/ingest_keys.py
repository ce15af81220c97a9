"""Keys of vendors' clouds: an institution and a name enter, a key id and a secret leave; a signature enters, a verdict.

The secret is derived from the platform's device key and a salt, like the devices' passwords, and is never stored.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import string
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from core.clock import Clock
from core.errors import BadInput, NotFound
from db.tenant import Transaction
from devices.credentials import derive_password, new_salt

KEY_ID_CHARS: Final = 16
REPLAY_SECONDS: Final = 300
SIGNATURES_MAX: Final = 4
_ALPHABET: Final = string.ascii_lowercase + string.digits


@dataclass(frozen=True, slots=True)
class IngestKey:
    """A new key; the secret is told this once."""

    id: str
    secret: str = field(repr=False)


def add_key(tx: Transaction, clock: Clock, *, device_key: str, institution: UUID, name: str) -> IngestKey:
    """Make a key for one vendor. device_key: the platform's secret. Raises BadInput for a bad name."""
    if not 1 <= len(name) <= 100:
        raise BadInput("a key's name has 1 to 100 characters")
    key_id = "".join(secrets.choice(_ALPHABET) for _ in range(KEY_ID_CHARS))
    salt = new_salt()
    tx.run("ingest_door.insert_key", id=key_id, institution=institution, name=name, salt=salt, now=clock.now())
    return IngestKey(key_id, secret_of(device_key, salt, key_id))


def revoke_key(tx: Transaction, clock: Clock, *, institution: UUID, key_id: str) -> None:
    """End a key. Raises NotFound."""
    if not tx.run("ingest_door.revoke_key", id=key_id, institution=institution, now=clock.now()):
        raise NotFound(f"there is no key {key_id} in use at this institution")


def list_keys(tx: Transaction, *, institution: UUID) -> list[dict[str, Any]]:
    """Every key, without its secret."""
    return [dict(row) for row in tx.all("ingest_door.list_keys", institution=institution)]


def secret_of(device_key: str, salt: bytes, key_id: str) -> str:
    """The secret of a key. The name that it is derived under can be no device's: those have no colon."""
    return derive_password(device_key, bytes(salt), f"ingest:{key_id}")


def sign(secret: str, t: int, body: bytes) -> str:
    """The value of X-Anhu-Signature: HMAC-SHA256 over the time, a dot and the body as it is sent."""
    return f"t={t},v1={_digest(secret, str(t), body)}"


def is_signed(secret: str, header: str, body: bytes, now: float) -> bool:
    """Whether one of the header's signatures is right and its time within REPLAY_SECONDS of now."""
    parts = [part.strip().partition("=") for part in header.split(",")[: SIGNATURES_MAX + 1]]
    t = next((value for name, _, value in parts if name == "t"), "")
    if not (t.isascii() and t.isdigit() and len(t) <= 12) or abs(now - int(t)) > REPLAY_SECONDS:
        return False
    wanted = _digest(secret, t, body).encode()
    return any(hmac.compare_digest(wanted, given.encode()) for name, _, given in parts if name == "v1")


def _digest(secret: str, t: str, body: bytes) -> str:
    return hmac.new(secret.encode(), t.encode() + b"." + body, hashlib.sha256).hexdigest()
