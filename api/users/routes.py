"""Routes of accounts: an institution's administrator keeps them; caregivers say themselves when they are on duty."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from api.auth.passwords import hash_password
from api.auth.policy import check_password
from api.deps import API, STAFF, Audit, Caller, Tx, require
from api.paging import LIMIT_DEFAULT, Cursor, Limit, cursor_id, cursor_time, decode_cursor, page
from api.state import AppState, State
from api.users.schemas import AnyRole, Colleague, ColleaguePage, DutyRequest, User, UserCreate, UserPage, UserPatch
from core.errors import BadInput, Conflict, NotFound
from core.ids import new_id
from core.vocabulary import Role
from db.tenant import Transaction

router = APIRouter(prefix=API, tags=["users"])


@router.get("/users", summary="账号列表 · List accounts", dependencies=[require(Role.ADMIN)])
def list_users(
    tx: Tx, audit: Audit, role: Annotated[AnyRole | None, Query()] = None, limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> UserPage:  # fmt: skip
    """The institution's accounts."""
    after, after_id = decode_cursor(cursor, cursor_time, cursor_id)
    rows = tx.all("users.list", role=role, after=after, after_id=after_id, limit=limit + 1)
    shown, following = page(rows, limit, lambda row: (row["created_at"], row["id"]))
    audit.record("list", "user")
    return UserPage(items=[User(**row) for row in shown], next=following)


@router.get("/colleagues", summary="同事 · Who works here", dependencies=[require(*STAFF)])
def list_colleagues(tx: Tx, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None) -> ColleaguePage:
    """Names for whoever has to choose a colleague: for a swap, an assessment, a visit. No telephone, no user name."""
    after, after_id = decode_cursor(cursor, cursor_time, cursor_id)
    rows = tx.all("users.colleagues", after=after, after_id=after_id, limit=limit + 1)
    shown, following = page(rows, limit, lambda row: (row["created_at"], row["id"]))
    return ColleaguePage(items=[Colleague(**row) for row in shown], next=following)


@router.post("/users", summary="新建账号 · Make an account", status_code=201, dependencies=[require(Role.ADMIN)])
def create_user(body: UserCreate, caller: Caller, tx: Tx, state: State, audit: Audit) -> User:
    """Usernames are unique across the platform."""
    _check_password(state, body.password.get_secret_value(), body.username, body.name)
    row = tx.first(
        "users.insert",
        id=new_id(state.clock),
        tenant=caller.tenant,
        username=body.username,
        hash=hash_password(body.password.get_secret_value()),
        role=body.role,
        name=body.name,
        phone=body.phone,
        on_duty=body.on_duty,
        must_change_password=body.must_change_password,
        now=state.clock.now(),
    )
    if row is None:
        raise Conflict("this username is taken")
    audit.record("create", "user", row["id"], role=body.role)
    return User(**row)


@router.get("/users/{user_id}", summary="账号详情 · One account", dependencies=[require(Role.ADMIN)])
def get_user(user_id: UUID, tx: Tx, audit: Audit) -> User:
    """One account of the institution."""
    row = tx.one("users.get", id=user_id)
    audit.record("read", "user", user_id)
    return User(**row)


@router.patch("/users/{user_id}", summary="修改账号 · Change an account", dependencies=[require(Role.ADMIN)])
def patch_user(user_id: UUID, body: UserPatch, caller: Caller, tx: Tx, state: State, audit: Audit) -> User:
    """Name, phone, duty, password, disabling. An administrator cannot disable the account in use."""
    given = body.model_dump(exclude_unset=True)
    if any(value is None for value in given.values()):
        raise BadInput("a field that is given cannot be null")
    if body.disabled and user_id == caller.id:
        raise BadInput("you cannot disable the account that you are using")
    if body.password:
        if user_id == caller.id:
            raise BadInput("change your own password with POST /me/password")
        known = tx.one("users.get", id=user_id)
        _check_password(state, body.password.get_secret_value(), known["username"], body.name or known["name"])
    row = _update(tx, state, user_id, body)
    audit.record("update", "user", user_id, fields=sorted(given))
    return User(**row)


@router.put("/me/duty", summary="上班或下班 · On or off duty", dependencies=[require(*STAFF)])
def set_duty(body: DutyRequest, caller: Caller, tx: Tx, state: State, audit: Audit) -> User:
    """Who is on duty is paged first."""
    row = _update(tx, state, caller.id, UserPatch(on_duty=body.on_duty))
    audit.record("duty", "user", caller.id, on_duty=body.on_duty)
    return User(**row)


@router.delete(
    "/users/{user_id}/otp", summary="重置动态验证码 · Remove a second factor", status_code=204,
    dependencies=[require(Role.ADMIN)],
)  # fmt: skip
def reset_otp(user_id: UUID, caller: Caller, tx: Tx, state: State, audit: Audit) -> None:
    """For somebody who has lost phone and recovery codes; ends the account's sessions. Not for the own account."""
    if user_id == caller.id:
        raise BadInput("remove your own with POST /me/otp/remove")
    tx.one("users.get", id=user_id)
    tx.run("otp.drop_recovery_codes", user=user_id)
    if not tx.run("otp.drop", user=user_id):
        raise NotFound("this account has no second factor")
    tx.run("users.end_sessions", id=user_id)
    tx.run("auth.revoke_user", user=user_id, now=state.clock.now())
    state.accounts.forget(user_id)
    audit.record("reset_otp", "user", user_id)


def _check_password(state: AppState, password: str, username: str, name: str) -> None:
    check_password(password, chars_min=state.settings.password_chars_min, own=(username, name))


def _update(tx: Transaction, state: AppState, user_id: UUID, body: UserPatch) -> dict[str, Any]:
    now = state.clock.now()
    row = tx.one(
        "users.update",
        id=user_id,
        name=body.name,
        phone=body.phone,
        on_duty=body.on_duty,
        disabled=body.disabled,
        hash=hash_password(body.password.get_secret_value()) if body.password else None,
        now=now,
    )
    if body.disabled or body.password:
        tx.run("auth.revoke_user", user=user_id, now=now)
    state.accounts.forget(user_id)
    return row
