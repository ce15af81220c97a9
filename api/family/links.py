"""Links in pages: a one-time token enters, a small page in Chinese and English leaves; only its buttons do anything.

Whoever opens the link sees what it is about, since mail filters and messengers open links by themselves. A button sends
a POST, which acknowledges once for the person to whom the page was sent, or says that they have seen it.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal
from urllib.parse import parse_qs
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import HTMLResponse

from alerts import service
from alerts.family import links
from alerts.notify.message import local_time, type_names
from alerts.recipients import refused
from alerts.service import REASON_NAMES, Action, Actor
from api.deps import PUBLIC, client_address
from api.limits import network_of
from api.pages.render import render
from api.state import AppState, State
from core.errors import BadTransition
from core.vocabulary import OUTCOME_NAMES, STATE_NAMES, AlertState, Names, Outcome, Role
from db.tenant import Transaction, tenant_transaction

router = APIRouter(tags=["family"])
Token = Annotated[str, Path()]
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{8,64}")
PREFIX: Final = "/family"
_UNKNOWN: Final = Names("链接无效", "This link is not valid")
_EXPIRED: Final = Names("链接已过期", "This link has expired")
_USED: Final = Names("此链接已使用过，您的响应已记录", "This link has been used; your answer is on record")
_OVER: Final = Names("报警已解除，无需响应", "The alert is over; there is nothing left to answer")
_GUESSED: Final = Names(
    "此网络尝试了过多无效链接，请几分钟后再试，或直接致电机构",
    "Too many links that are not valid came from this network; try again in some minutes, or call the house",
)
_SEEN: Final = Names("已记录：您已看到此通知", "Noted: you have seen this")


async def _form(request: Request) -> str:
    # One field of a form of our own; its size is bounded before it arrives here.
    fields = parse_qs((await request.body()).decode("utf-8", "replace"))
    return fields.get("action", [""])[0]


@router.get(
    "/family/a/{token}",
    summary="通知链接 · What a page is about",
    response_class=HTMLResponse,
    dependencies=[PUBLIC],
    include_in_schema=False,  # a page for people, not a part of the API
)
def show_link(token: Token, state: State, request: Request) -> HTMLResponse:
    """Shows and does nothing: a link that is opened by a machine must not count as an answer."""
    if wait := _wait_seconds(state, request):
        return _braked(state, wait)
    found = _find(state, token)
    if found is None:
        return _unknown(state, request)
    tenant, now = found, state.clock.now()
    with tenant_transaction(state.pool, tenant) as tx:
        row = tx.one("links.get", token_hash=links.digest(token))
        barred = _barred(tx, row)
    if barred is not None:
        return _page(state, 410, barred)
    if row["used_at"] is not None:
        return _page(state, 200, _USED, row)
    if row["state"] == AlertState.RESOLVED:
        return _page(state, 200, _OVER, row)
    if row["expires_at"] <= now:
        return _page(state, 410, _EXPIRED)
    return _page(state, 200, None, row, buttons=True)


@router.post(
    "/family/a/{token}",
    summary="通过链接响应 · Answer through the link",
    response_class=HTMLResponse,
    dependencies=[PUBLIC],
    include_in_schema=False,
)
def use_link(token: Token, state: State, request: Request, action: Annotated[str, Depends(_form)]) -> HTMLResponse:
    """Acknowledges in the name of whom the page was sent to, once; or notes that they have seen it."""
    if wait := _wait_seconds(state, request):
        return _braked(state, wait)
    tenant = _find(state, token)
    if tenant is None:
        return _unknown(state, request)
    if action not in ("acknowledge", "seen"):
        return _page(state, 422, Names("请使用页面上的按钮", "Use one of the buttons"))
    with tenant_transaction(state.pool, tenant) as tx:
        return _use(tx, state, token, "acknowledge" if action == "acknowledge" else "seen")


def _use(tx: Transaction, state: AppState, token: str, action: Literal["acknowledge", "seen"]) -> HTMLResponse:
    row = tx.one("links.get", token_hash=links.digest(token))
    barred = _barred(tx, row)
    if barred is not None:
        return _page(state, 410, barred)
    if row["expires_at"] <= state.clock.now():
        return _page(state, 410, _EXPIRED)
    if action == "seen":
        _mark_seen(tx, state, row)
        return _page(state, 200, _SEEN, row, buttons=row["used_at"] is None and row["state"] != AlertState.RESOLVED)
    if row["state"] == AlertState.RESOLVED:
        return _page(state, 200, _OVER, row)
    if not tx.run("links.use", token_hash=row["token_hash"], now=state.clock.now()):
        return _page(state, 200, _USED, row)
    _mark_seen(tx, state, row)
    try:
        done = service.act(
            tx,
            state.clock,
            alert_id=row["alert_id"],
            action=Action.ACKNOWLEDGE,
            actor=_actor(tx, row),
            note="通过通知链接响应 / Acknowledged through the link",
        )
    except BadTransition:  # somebody closed it between the look and the button
        return _page(state, 200, _OVER, row)
    row = tx.one("links.get", token_hash=row["token_hash"])
    return _page(state, 200, REASON_NAMES[done["reason"]], row)


def _wait_seconds(state: AppState, request: Request) -> int:
    return state.link_guesses.wait_seconds(network_of(client_address(request)))


def _unknown(state: AppState, request: Request) -> HTMLResponse:
    """A token that was never given out: one miss of this address."""
    state.link_guesses.missed(network_of(client_address(request)))
    return _page(state, 404, _UNKNOWN)


def _braked(state: AppState, wait_seconds: int) -> HTMLResponse:
    answer = _page(state, 429, _GUESSED)
    answer.headers["Retry-After"] = str(wait_seconds)
    return answer


def _find(state: AppState, token: str) -> UUID | None:
    if not _TOKEN.fullmatch(token):  # a messenger may have cut it; the page says that it is not valid
        return None
    with tenant_transaction(state.pool, None) as tx:
        return links.institution_of(tx, token)


def _barred(tx: Transaction, row: dict[str, Any]) -> Names | None:
    """Why whoever holds the link may not use it any more: the account is closed, the consent is withdrawn."""
    kind, _, value = row["recipient"].partition(":")
    if kind == "user":
        return None if tx.first("links.user", id=UUID(value)) else Names("账号已停用", "The account is closed")
    contact = tx.first("escalation.contact_by_id", id=UUID(value))
    if contact is None:
        return Names("您已不在联系人名单中", "You are no longer a contact")
    return refused(contact)


def _actor(tx: Transaction, row: dict[str, Any]) -> Actor:
    """In whose name the link acts: the account, or the contact by name where there is none."""
    kind, _, value = row["recipient"].partition(":")
    user = tx.first("links.user", id=UUID(value)) if kind == "user" else None
    if user is not None:
        return Actor(user["id"], user["name"], user["role"], row["recipient"])
    contact = tx.one("escalation.contact_by_id", id=UUID(value))
    return Actor(contact["user_id"], contact["name"], Role.FAMILY, row["recipient"])


def _mark_seen(tx: Transaction, state: AppState, row: dict[str, Any]) -> None:
    page = {"id": row["outbox_id"], "recipient_name": row["recipient_name"]}
    alert = {"id": row["alert_id"], "institution_id": row["institution_id"]}
    service.mark_seen(tx, state.clock, alert, [page], "link")


def _page(
    state: AppState, status: int, words: Names | None, row: dict[str, Any] | None = None, *, buttons: bool = False
) -> HTMLResponse:
    about: dict[str, Any] = {"kind": None, "state": None, "ended": None, "since": "", "heading": ""}
    if row is not None:
        kind = type_names(row["type"])
        about = {
            "kind": kind,
            "state": STATE_NAMES[AlertState(row["state"])],
            "ended": OUTCOME_NAMES[Outcome(row["outcome"])] if row["outcome"] else None,
            "since": local_time(row["occurred_at"], row["timezone"]),
            "heading": kind.zh,
        }
    return render(
        "link.html", status, prefix=PREFIX, zone=ZoneInfo(state.settings.timezone), now=state.clock.now(),
        refresh_seconds=0, words=words, row=row, buttons=buttons, **about,
    )  # fmt: skip
