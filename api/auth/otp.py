"""One-time passwords (RFC 6238): an account and a code enter; whether it is good leaves, and no code is good twice.

The secret is HMAC-SHA256 of the platform's device key over a random salt and the account, as passwords of devices are:
the database holds the salt alone, and a copy of it opens nothing. Recovery codes are kept as an HMAC under that key.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import pyotp
import segno

from api.errors import OtpRequired, TooManyRequests
from api.state import AppState
from core.errors import BadInput, Conflict
from db.tenant import Transaction, tenant_transaction

ISSUER: Final = "Anhu 安护"
STEP_SECONDS: Final = 30
STEPS_AROUND: Final = 1
"""A phone's clock may be one step off, either way."""
SALT_BYTES: Final = 20
SECRET_BYTES: Final = 20
FAILURES_MAX: Final = 5
FAILURES_SECONDS: Final = 900
"""Wrong codes of one account, whoever sends them: only who knows the password gets so far, so no stranger locks it."""
WRONG_CODE: Final = "the code is not right, or it was used already"
RECOVERY_CODES: Final = 10
_RECOVERY_CHARS: Final = 16


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an authenticator needs, shown once."""

    secret: str
    uri: str
    qr_svg: str


def secret_of(key: str, salt: bytes, user: UUID) -> str:
    """The base32 secret of an account, which is stored nowhere."""
    return base64.b32encode(_mac(key, b"anhu otp secret", salt, user.bytes)[:SECRET_BYTES]).decode()


def begin(tx: Transaction, state: AppState, user: UUID, tenant: UUID | None, username: str) -> Enrolment:
    """A fresh secret that counts once a code of it was shown. Raises Conflict where one counts already."""
    salt = secrets.token_bytes(SALT_BYTES)
    if not tx.run("otp.begin", user=user, tenant=tenant, salt=salt, now=state.clock.now()):
        raise Conflict("a second factor is set up already; remove it first")
    secret = secret_of(state.settings.require_device_key(), salt, user)
    uri = pyotp.TOTP(secret).provisioning_uri(name=username, issuer_name=ISSUER)
    picture = io.BytesIO()
    segno.make(uri, error="m").save(picture, kind="svg", scale=4, border=4, xmldecl=False)
    return Enrolment(secret, uri, picture.getvalue().decode())


def confirm(tx: Transaction, state: AppState, user: UUID, tenant: UUID | None, code: str) -> list[str]:
    """Take the first code: the factor counts from now on; its recovery codes. Raises BadInput, Conflict."""
    row = tx.first("otp.lock", user=user)
    if row is None:
        raise Conflict("begin first: ask for a secret")
    if row["confirmed_at"] is not None:
        raise Conflict("a second factor is set up already; remove it first")
    step = _fitting_step(state, row, user, code)
    if step is None:
        raise BadInput("the code is not right; check that the phone's clock is")
    tx.run("otp.confirm", user=user, step=step, now=state.clock.now())
    return renew_recovery_codes(tx, state, user, tenant)


def renew_recovery_codes(tx: Transaction, state: AppState, user: UUID, tenant: UUID | None) -> list[str]:
    """Fresh recovery codes, which end those before."""
    codes = [_recovery_code() for _ in range(RECOVERY_CODES)]
    tx.run("otp.drop_recovery_codes", user=user)
    rows = [{"user": user, "tenant": tenant, "hash": _recovery_hash(state, user, code)} for code in codes]
    tx.run_many("otp.insert_recovery_code", rows)
    return codes


def check(tx: Transaction, state: AppState, user: UUID, code: str) -> str | None:
    """How the code was good ("otp" or "recovery"), or None. A good one is used up with this transaction.

    Raises TooManyRequests after too many wrong ones. The caller must commit also where None came back: failures count.
    """
    now = state.clock.now()
    row = tx.first("otp.lock", user=user)
    if row is None or row["confirmed_at"] is None:
        return None
    if row["failures"] >= FAILURES_MAX and row["failures_until"] > now:
        wait = int((row["failures_until"] - now).total_seconds()) + 1
        raise TooManyRequests("too many wrong codes", retry_after_seconds=wait)
    step = _fitting_step(state, row, user, code)
    if step is not None and tx.run("otp.use_step", user=user, step=step):
        return "otp"
    if tx.run("otp.use_recovery_code", user=user, hash=_recovery_hash(state, user, code), now=now):
        return "recovery"
    tx.run("otp.failed", user=user, now=now, until=now + timedelta(seconds=FAILURES_SECONDS))
    return None


def require(state: AppState, user: UUID, tenant: UUID | None, code: str) -> str:
    """As `check`, in a transaction of its own, so that a failure counts. Raises OtpRequired for a code not good."""
    with tenant_transaction(state.pool, tenant) as tx:
        used = check(tx, state, user, code)
    if used is None:
        raise OtpRequired(WRONG_CODE)
    return used


def _fitting_step(state: AppState, row: dict[str, Any], user: UUID, code: str) -> int | None:
    """The time step that a code belongs to, if it is a later one than was used before."""
    text = code.replace(" ", "")
    if len(text) != 6 or not (text.isascii() and text.isdigit()):
        return None
    totp = pyotp.TOTP(secret_of(state.settings.require_device_key(), bytes(row["salt"]), user))
    now_step = int(state.clock.time()) // STEP_SECONDS
    found = None
    for step in range(now_step - STEPS_AROUND, now_step + STEPS_AROUND + 1):
        # All are computed, and compared in constant time.
        if hmac.compare_digest(totp.generate_otp(step), text) and step > row["last_step"]:
            found = step
    return found


def _recovery_code() -> str:
    text = base64.b32encode(secrets.token_bytes(10)).decode().lower()
    return "-".join(text[at : at + 4] for at in range(0, _RECOVERY_CHARS, 4))


def _recovery_hash(state: AppState, user: UUID, code: str) -> bytes:
    plain = "".join(one for one in code.lower() if one.isalnum())
    return _mac(state.settings.require_device_key(), b"anhu recovery code", user.bytes, plain.encode())


def _mac(key: str, *parts: bytes) -> bytes:
    """HMAC-SHA256 over parts that cannot run into each other; the first says what it is for."""
    message = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return hmac.new(key.encode(), message, hashlib.sha256).digest()
