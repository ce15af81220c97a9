"""Routes of second factors: an account sets up, renews or removes its own; an institution says who must have one."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field, SecretStr

from api.auth import otp, service
from api.auth.accounts import Account
from api.auth.passwords import verify_password
from api.deps import API, EVERYONE, Audit, Caller, Tx, client_address, require
from api.errors import PreconditionFailed
from api.schemas import Input
from api.state import AppState, State
from api.users.schemas import AnyRole
from core.errors import BadInput, Conflict, Forbidden
from core.vocabulary import Role
from db.tenant import Transaction

router = APIRouter(prefix=API, tags=["auth"])
Code = Annotated[str, Field(min_length=6, max_length=64, examples=["123456"])]


class OtpState(BaseModel):
    """Where the caller's second factor stands."""

    enrolled: bool
    confirmed_at: datetime | None
    demanded: bool = Field(description="机构要求必须设置 · whether this account must have one")
    recovery_codes_left: int = Field(examples=[10])


class OtpBegin(Input):
    """The present password again: whoever finds a screen open shall not set one up."""

    password: SecretStr = Field(max_length=1024, examples=["the present one"])


class OtpSecret(BaseModel):
    """What an authenticator app takes; shown once, and nowhere stored."""

    secret: str = Field(description="base32, to type in by hand", examples=["JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"])
    otpauth_uri: str = Field(examples=["otpauth://totp/…"])
    qr_svg: str = Field(description="the URI as a picture to scan", examples=["<svg …>"])


class OtpCode(Input):
    """A code from the authenticator."""

    code: Code


class OtpProof(Input):
    """Password and code, to change what guards the account."""

    password: SecretStr = Field(max_length=1024, examples=["the present one"])
    code: Code = Field(description="one-time code or a recovery code")


class RecoveryCodes(BaseModel):
    """Each opens the account once in place of a code; shown once: print them, keep them away from the phone."""

    recovery_codes: list[str] = Field(examples=[["abcd-efgh-ijkl-mnop"]])


class SecuritySettings(BaseModel):
    """What an institution demands of its accounts."""

    otp_roles: list[AnyRole] = Field(description="roles that must have a second factor", examples=[["admin"]])
    always_demanded: list[AnyRole] = Field(description="roles of which the operator of the platform demands one")
    accounts_without: int = Field(description="accounts of these roles that must still set one up", examples=[3])
    version: int = Field(examples=[1])
    updated_at: datetime | None


class SecuritySettingsBody(Input):
    """The roles that must have a second factor from now on."""

    otp_roles: list[AnyRole] = Field(max_length=6, examples=[["admin"]])
    version: int | None = Field(default=None, ge=0, description="refuse if the settings have changed since")


@router.get("/me/otp", summary="我的动态验证码 · My second factor", dependencies=[require(*EVERYONE, settles=True)])
def get_otp(caller: Caller, tx: Tx, state: State) -> OtpState:
    """Whether one counts, since when, and how many recovery codes are left."""
    row = tx.first("otp.get", user=caller.id)
    confirmed = row["confirmed_at"] if row else None
    return OtpState(
        enrolled=confirmed is not None,
        confirmed_at=confirmed,
        demanded=caller.otp_demanded or caller.role in state.settings.otp_required_role_set,
        recovery_codes_left=row["codes_left"] if row else 0,
    )


@router.post(
    "/me/otp", summary="设置动态验证码 · Begin a second factor", dependencies=[require(*EVERYONE, settles=True)]
)
def begin_otp(body: OtpBegin, caller: Caller, tx: Tx, state: State, audit: Audit, request: Request) -> OtpSecret:
    """A fresh secret for an authenticator app. It counts once `POST /me/otp/confirm` has seen a code of it."""
    _check_present(tx, state, caller, body.password, request)
    made = otp.begin(tx, state, caller.id, caller.institution_id, caller.username)
    audit.record("begin_otp", "user", caller.id)
    return OtpSecret(secret=made.secret, otpauth_uri=made.uri, qr_svg=made.qr_svg)


@router.post(
    "/me/otp/confirm",
    summary="启用动态验证码 · Confirm with a code",
    dependencies=[require(*EVERYONE, settles=True)],
)
def confirm_otp(body: OtpCode, caller: Caller, tx: Tx, state: State, audit: Audit) -> RecoveryCodes:
    """From now on signing in needs a code. Answers ten recovery codes."""
    codes = otp.confirm(tx, state, caller.id, caller.institution_id, body.code)
    audit.record("confirm_otp", "user", caller.id)
    state.accounts.forget(caller.id)
    return RecoveryCodes(recovery_codes=codes)


@router.post("/me/otp/recovery-codes", summary="重新生成恢复码 · New recovery codes", dependencies=[require(*EVERYONE)])
def renew_recovery_codes(
    body: OtpProof, caller: Caller, tx: Tx, state: State, audit: Audit, request: Request
) -> RecoveryCodes:
    """Needs password and code; ends the recovery codes given out before."""
    _prove(tx, state, caller, body, request)
    codes = otp.renew_recovery_codes(tx, state, caller.id, caller.institution_id)
    audit.record("renew_recovery_codes", "user", caller.id)
    return RecoveryCodes(recovery_codes=codes)


@router.post(
    "/me/otp/remove",
    summary="停用动态验证码 · Remove my second factor",
    status_code=204,
    dependencies=[require(*EVERYONE)],
)
def remove_otp(body: OtpProof, caller: Caller, tx: Tx, state: State, audit: Audit, request: Request) -> None:
    """Needs password and code; refused where one is demanded of the account."""
    if caller.otp_demanded or caller.role in state.settings.otp_required_role_set:
        raise Forbidden("a second factor is demanded of this account; an administrator can reset it")
    _prove(tx, state, caller, body, request)
    tx.run("otp.drop_recovery_codes", user=caller.id)
    tx.run("otp.drop", user=caller.id)
    audit.record("remove_otp", "user", caller.id)
    state.accounts.forget(caller.id)


@router.get("/security-settings", summary="账号安全要求 · Security settings", dependencies=[require(Role.ADMIN)])
def get_security_settings(caller: Caller, tx: Tx, state: State) -> SecuritySettings:
    """Which roles must have a second factor; version 0 is the platform's own."""
    return _settings(tx, state, caller.tenant)


@router.put(
    "/security-settings", summary="修改安全要求 · Set the security settings", dependencies=[require(Role.ADMIN)]
)
def put_security_settings(
    body: SecuritySettingsBody, caller: Caller, tx: Tx, state: State, audit: Audit
) -> SecuritySettings:
    """Who has none yet is asked to set one up at the next request, and gets no further before.

    Refused for the caller's own role while the caller has none, so that nobody locks out the whole house.
    """
    if caller.role.value in body.otp_roles and not caller.has_otp:
        raise Conflict("set up your own second factor first")
    known = _settings(tx, state, caller.tenant)
    if body.version is not None and body.version != known.version:
        raise PreconditionFailed(f"the settings are at version {known.version}, not {body.version}")
    roles = sorted(set(body.otp_roles))
    tx.one("otp.put_settings", tenant=caller.tenant, otp_roles=roles, now=state.clock.now())
    audit.record("update", "security_settings", caller.tenant, otp_roles=roles)
    state.accounts.forget_all()
    return _settings(tx, state, caller.tenant)


def _settings(tx: Transaction, state: AppState, tenant: UUID) -> SecuritySettings:
    row = tx.first("otp.settings", tenant=tenant) or {"otp_roles": [], "version": 0, "updated_at": None}
    always = sorted(role.value for role in state.settings.otp_required_role_set - {Role.DEVICE})
    without = tx.one("otp.without_factor", tenant=tenant, otp_roles=sorted({*row["otp_roles"], *always}))
    told = row | {"always_demanded": always, "accounts_without": without["accounts"]}
    return SecuritySettings(**told)


def _check_present(tx: Transaction, state: AppState, caller: Account, password: SecretStr, request: Request) -> None:
    """Raises BadInput for a wrong password, TooManyRequests after too many of them."""
    address = client_address(request)
    service.check_brake(state, caller.username, address)
    row = tx.one("users.password_hash", id=caller.id)
    if not verify_password(password.get_secret_value(), row["password_hash"]):
        state.throttle.failed(caller.username, address)
        raise BadInput("the present password is not right")


def _prove(tx: Transaction, state: AppState, caller: Account, body: OtpProof, request: Request) -> None:
    _check_present(tx, state, caller, body.password, request)
    if not caller.has_otp:
        raise Conflict("this account has no second factor")
    otp.require(state, caller.id, caller.institution_id, body.code)
