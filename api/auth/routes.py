"""Routes of signing in."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.security import OAuth2PasswordRequestForm

from api.auth import service
from api.auth.passwords import hash_password, verify_password
from api.auth.schemas import Institution, Me, PasswordChange, RefreshRequest, TokenPair
from api.auth.tokens import RefreshToken
from api.deps import API, EVERYONE, PUBLIC, Audit, Caller, Tx, client_address, require
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
def sign_in(form: Annotated[OAuth2PasswordRequestForm, Depends()], state: State, request: Request) -> TokenPair:
    """Username and password (OAuth2 password form) give an access and a refresh token."""
    for text in (form.username, form.password):
        if len(text) > _CREDENTIAL_CHARS_MAX or "\0" in text:
            raise BadInput("the username or the password is not of a possible form")
    return service.sign_in(
        state,
        username=form.username,
        password=form.password,
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


@router.get("/me", summary="当前用户 · Who am I", dependencies=[require(*EVERYONE)])
def me(caller: Caller) -> Me:
    """The account behind the token."""
    institution = Institution(id=caller.institution_id, site=caller.site or "") if caller.institution_id else None
    return Me(
        id=caller.id,
        username=caller.username,
        name=caller.name,
        role=caller.role,
        role_name=ROLE_NAMES[caller.role],
        institution=institution,
    )


@router.post(
    "/me/password", summary="修改密码 · Change my password", status_code=204, dependencies=[require(*EVERYONE)]
)
def change_password(body: PasswordChange, caller: Caller, tx: Tx, state: State, audit: Audit, request: Request) -> None:
    """Needs the present password; afterwards every token given out before is worth nothing."""
    address = client_address(request)
    service.check_brake(state, caller.username, address)
    row = tx.one("users.password_hash", id=caller.id)
    if not verify_password(body.current.get_secret_value(), row["password_hash"]):
        state.throttle.failed(caller.username, address)
        raise BadInput("the present password is not right")
    tx.one(
        "users.update",
        id=caller.id,
        name=None,
        phone=None,
        on_duty=None,
        disabled=None,
        hash=hash_password(body.new.get_secret_value()),
        now=state.clock.now(),
    )
    tx.run("auth.revoke_user", user=caller.id, now=state.clock.now())
    audit.record("change_password", "user", caller.id)
    state.accounts.forget(caller.id)
