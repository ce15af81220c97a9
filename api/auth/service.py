"""Signing in, renewing, signing out: credentials or tokens enter, token pairs leave, and every attempt is recorded."""

from __future__ import annotations

import hmac
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from api.auth import otp
from api.auth.passwords import verify_password
from api.auth.schemas import TokenPair
from api.auth.tokens import RefreshToken
from api.errors import OtpRequired, TooManyRequests, Unauthenticated
from api.state import AppState
from core.ids import new_id
from db.tenant import Transaction, tenant_transaction

_WRONG = "the username or the password is not right"
_STALE = "the refresh token is no longer valid"


def sign_in(
    state: AppState, *, username: str, password: str, code: str = "", request_id: str, address: str
) -> TokenPair:
    """A token pair for a username and password, and the one-time code of an account that has a second factor.

    Raises Unauthenticated (the same for an unknown name, a wrong password and a disabled account), OtpRequired (the
    password was right, the code is missing or not good), TooManyRequests.
    """
    username = username.lower()
    check_brake(state, username, address)
    with tenant_transaction(state.pool, None) as tx:
        row = tx.first("auth.account_by_username", username=username)
    fits = verify_password(password, row["password_hash"] if row else None)
    known = row if row is not None and fits and not row["disabled"] else None
    with tenant_transaction(state.pool, row["institution_id"] if row else None) as tx:
        factor = _second_factor(tx, state, known, code) if known is not None else "none"
        action = "sign_in" if factor != "missing" else "first_factor"
        success = known is not None and factor != "wrong"
        detail = {"factor": factor} if factor != "none" else {}
        _record(tx, state, action, row, username, request_id, address, success=success, **detail)
        if known is not None and factor in _GOOD:
            state.throttle.succeeded(username, address)
            return _issue(tx, state, known, new_id(state.clock))
    if factor == "missing":
        raise OtpRequired
    state.throttle.failed(username, address)
    raise OtpRequired(otp.WRONG_CODE) if factor == "wrong" else Unauthenticated(_WRONG)


_GOOD: Final = ("none", "otp", "recovery")


def _second_factor(tx: Transaction, state: AppState, row: dict[str, Any], code: str) -> str:
    """ "none" where the account has none, "missing" or "wrong", else how the code was good."""
    if not row["has_otp"]:
        return "none"
    if not code:
        return "missing"
    return otp.check(tx, state, row["id"], code) or "wrong"


def check_brake(state: AppState, username: str, address: str) -> None:
    """Raises TooManyRequests after too many failed attempts."""
    wait = state.throttle.wait_seconds(username, address)
    if wait:
        raise TooManyRequests("too many failed attempts", retry_after_seconds=wait)


def renew(state: AppState, token: RefreshToken, *, request_id: str, address: str) -> TokenPair:
    """A new pair for a refresh token, which is used up. One used before ends its family. Raises Unauthenticated."""
    with tenant_transaction(state.pool, token.tenant) as tx:
        row = _lock(tx, token)
        if row is not None and row["used_at"] is not None:
            # Somebody has a copy: whoever holds any token of this family must sign in again.
            tx.run("auth.revoke_family", family=row["family_id"], now=state.clock.now())
            account = tx.first("auth.account_by_id", id=row["user_id"])
            _record(tx, state, "refresh_reused", account, "", request_id, address, success=False)
        elif row is not None and row["revoked_at"] is None and row["expires_at"] > state.clock.now():
            account = tx.first("auth.account_by_id", id=row["user_id"])
            if account is not None and not account["disabled"]:
                tx.run("auth.use_refresh", id=token.id, now=state.clock.now())
                return _issue(tx, state, account, row["family_id"])
    raise Unauthenticated(_STALE)


def sign_out(state: AppState, token: RefreshToken) -> None:
    """End the family of a refresh token; one that is not known is over already."""
    with tenant_transaction(state.pool, token.tenant) as tx:
        row = _lock(tx, token)
        if row is not None:
            tx.run("auth.revoke_family", family=row["family_id"], now=state.clock.now())


def _lock(tx: Transaction, token: RefreshToken) -> dict[str, Any] | None:
    """The token's row, locked, if the secret fits."""
    row = tx.first("auth.lock_refresh", id=token.id)
    return row if row is not None and hmac.compare_digest(bytes(row["token_hash"]), token.hash) else None


def _issue(tx: Transaction, state: AppState, account: dict[str, Any], family: UUID) -> TokenPair:
    now = state.clock.now()
    refresh = RefreshToken.new(account["institution_id"], new_id(state.clock))
    tx.run(
        "auth.insert_refresh",
        id=refresh.id,
        tenant=account["institution_id"],
        user=account["id"],
        family=family,
        hash=refresh.hash,
        now=now,
        expires=now + timedelta(seconds=state.settings.refresh_token_seconds),
    )
    access = state.tokens.issue(
        user_id=account["id"],
        role=account["role"],
        tenant=account["institution_id"],
        version=account["token_version"],
    )
    return TokenPair(access_token=access, expires_in=state.tokens.access_seconds, refresh_token=refresh.text)


def _record(
    tx: Transaction,
    state: AppState,
    action: str,
    account: dict[str, Any] | None,
    username: str,
    request_id: str,
    address: str,
    *,
    success: bool,
    **detail: str,
) -> None:
    tx.run(
        "audit.append",
        tenant=account["institution_id"] if account else None,
        now=state.clock.now(),
        user=account["id"] if account else None,
        username=account["username"] if account else username[:64],
        role=account["role"] if account else "",
        action=action,
        object_type="session",
        object_id="",
        detail=detail,
        request_id=request_id,
        address=address,
        success=success,
        purpose="",
    )
