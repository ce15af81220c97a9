"""Routes of signing in."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.security import OAuth2PasswordRequestForm

from api.auth import service
from api.auth.passwords import hash_password, verify_password
from api.auth.policy import check_password
from api.auth.schemas import Institution, Me, Owed, PasswordChange, RefreshRequest, TokenPair
from api.auth.tokens import RefreshToken
from api.deps import API, EVERYONE, PUBLIC, Audit, Caller, Tx, client_address, owes_factor, require
from api.schemas import Names
from api.state import State
from core.errors import BadInput
from core.vocabulary import Role

router = APIRouter(prefix=API, tags=["auth"])

ROLE_NAMES: dict[Role, Names] = {
    Role.ADMIN: Names(zh="机构管理员", en="Administrator"),
    Role.CAREGIVER: Names(zh="护理人员", en="Caregiver"),
    Role.FAMILY: Names(zh="家属", en="Family member"),
    Role.PROVIDER: Names(zh="服务商", en="Service provider"),
    Role.REGULATOR: Names(zh="民政监管人员", en="Regulator"),
    Role.DEVICE: Names(zh="设备", en="Device"),
    Role.PLATFORM: Names(zh="平台运营人员", en="Platform operator"),
}
_CREDENTIAL_CHARS_MAX = 1024


@router.post("/auth/token", summary="登录 · Sign in", dependencies=[PUBLIC])
def sign_in(
    form: Annotated[OAuth2PasswordRequestForm, Depends()],
    state: State,
    request: Request,
    otp: Annotated[
        str, Form(max_length=64, description="动态验证码或恢复码 · one-time code or a recovery code", examples=[""])
    ] = "",
) -> TokenPair:
    """Username and password (OAuth2 password form) give an access and a refresh token.

    An account with a second factor sends the six digits, or one of its recovery codes, as `otp`; without it the answer
    is a 401 of the type `otp-required`. No code is taken twice.
    """
    for text in (form.username, form.password, otp):
        if len(text) > _CREDENTIAL_CHARS_MAX or "\0" in text:
            raise BadInput("the username or the password is not of a possible form")
    return service.sign_in(
        state,
        username=form.username,
        password=form.password,
        code=otp.strip(),
        request_id=request.state.request_id,
        address=client_address(request),
    )


@router.post("/auth/refresh", summary="刷新令牌 · Renew the tokens", dependencies=[PUBLIC])
def refresh(body: RefreshRequest, state: State, request: Request) -> TokenPair:
    """A refresh token gives a new pair and is used up; using one twice ends every token of that sign-in."""
    return service.renew(
        state,
        RefreshToken.parse(body.refresh_token),
        request_id=request.state.request_id,
        address=client_address(request),
    )


@router.post("/auth/logout", summary="退出登录 · Sign out", status_code=204, dependencies=[PUBLIC])
def sign_out(body: RefreshRequest, state: State) -> None:
    """Ends every refresh token of this sign-in; the access token runs out by itself."""
    service.sign_out(state, RefreshToken.parse(body.refresh_token))


@router.get("/me", summary="当前用户 · Who am I", dependencies=[require(*EVERYONE, settles=True)])
def me(caller: Caller, state: State) -> Me:
    """The account behind the token."""
    institution = Institution(id=caller.institution_id, site=caller.site or "") if caller.institution_id else None
    owes: list[Owed] = []
    if caller.must_change_password:
        owes.append("password")
    if owes_factor(caller, state.settings):
        owes.append("otp")
    return Me(
        id=caller.id,
        username=caller.username,
        name=caller.name,
        role=caller.role,
        role_name=ROLE_NAMES[caller.role],
        institution=institution,
        owes=owes,
        has_otp=caller.has_otp,
    )


@router.post(
    "/me/password",
    summary="修改密码 · Change my password",
    status_code=204,
    dependencies=[require(*EVERYONE, settles=True)],
)
def change_password(body: PasswordChange, caller: Caller, tx: Tx, state: State, audit: Audit, request: Request) -> None:
    """Needs the present password; afterwards every token given out before is worth nothing."""
    address = client_address(request)
    service.check_brake(state, caller.username, address)
    row = tx.one("users.password_hash", id=caller.id)
    if not verify_password(body.current.get_secret_value(), row["password_hash"]):
        state.throttle.failed(caller.username, address)
        raise BadInput("the present password is not right")
    new = body.new.get_secret_value()
    if new == body.current.get_secret_value():
        raise BadInput("the new password is the present one")
    check_password(
        new, chars_min=state.settings.password_chars_min, own=(caller.username, caller.name, caller.site or "")
    )
    tx.run("users.set_own_password", id=caller.id, hash=hash_password(new), now=state.clock.now())
    tx.run("auth.revoke_user", user=caller.id, now=state.clock.now())
    audit.record("change_password", "user", caller.id)
    state.accounts.forget(caller.id)
