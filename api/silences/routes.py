"""Routes of silences and times of maintenance, and of everything that was held back."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from alerts.service import type_names
from api.deps import API, STAFF, Audit, Caller, Tx, require
from api.paging import LIMIT_DEFAULT, Cursor, Limit, cursor_id, cursor_number, cursor_time, decode_cursor, page
from api.schemas import Names
from api.silences.schemas import Silence, SilenceIn, SilencePage, Suppression, SuppressionPage
from api.state import State
from core.errors import BadInput, Conflict, NotFound
from core.ids import new_id
from db.tenant import Transaction

router = APIRouter(prefix=API, tags=["alerts"])


@router.get("/silences", summary="静默与维护窗口 · Silences", dependencies=[require(*STAFF)])
def list_silences(
    tx: Tx,
    state: State,
    current: Annotated[bool, Query(description="only those that hold now or will")] = False,  # noqa: FBT002 -- a query parameter: always named
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> SilencePage:
    """Who wanted what to be held back, why, and until when."""
    before, before_id = decode_cursor(cursor, cursor_time, cursor_id)
    now = state.clock.now()
    rows = tx.all(
        "silences.list", current=current, now=now, before=before, before_id=before_id, limit=limit + 1
    )  # fmt: skip
    shown, following = page(rows, limit, lambda row: (row["created_at"], row["id"]))
    return SilencePage(items=[_view(row, now) for row in shown], next=following)


@router.post("/silences", summary="新建静默 · Create a silence", status_code=201, dependencies=[require(*STAFF)])
def create_silence(body: SilenceIn, caller: Caller, tx: Tx, state: State, audit: Audit) -> Silence:
    """Holds back what it matches until it ends by itself; an emergency is never held back.

    Without `alert_types` only technical alerts are meant. Every finding held back is recorded (`GET /suppressions`),
    and one that still holds at the end is raised then.
    """
    now = state.clock.now()
    try:
        start = body.check_times(now)
    except ValueError as error:
        raise BadInput(str(error)) from error
    if body.resident_id is not None:
        tx.one("residents.exists", resident=body.resident_id)
    device = tx.first("devices.get", id=body.device_id) if body.device_id else None
    if body.device_id and device is None:
        raise NotFound("there is no such device")
    silence = new_id(state.clock)
    tx.run(
        "silences.create",
        id=silence,
        tenant=caller.tenant,
        author=caller.id,
        reason=body.reason,
        building=body.building,
        floor=body.floor,
        room=body.room,
        device_key=device and device["key"],
        resident_id=body.resident_id,
        alert_types=[one.value for one in body.alert_types] if body.alert_types else None,
        starts_at=start,
        ends_at=body.ends_at,
        now=now,
    )
    audit.record("create", "silence", silence, ends_at=body.ends_at.isoformat())
    return _view(_get(tx, silence), now)


@router.get("/silences/{silence_id}", summary="静默详情 · One silence", dependencies=[require(*STAFF)])
def get_silence(silence_id: UUID, tx: Tx, state: State) -> Silence:
    """One silence, and how much it has held back."""
    return _view(_get(tx, silence_id), state.clock.now())


@router.post("/silences/{silence_id}/end", summary="提前结束静默 · End a silence", dependencies=[require(*STAFF)])
def end_silence(silence_id: UUID, caller: Caller, tx: Tx, state: State, audit: Audit) -> Silence:
    """Ends it now; what it held back and still holds is raised within seconds."""
    now = state.clock.now()
    _get(tx, silence_id)
    if not tx.run("silences.end", id=silence_id, user=caller.id, now=now):
        raise Conflict("it has already ended")
    audit.record("end", "silence", silence_id)
    return _view(_get(tx, silence_id), now)


@router.get("/suppressions", summary="被抑制的报警 · What was held back", dependencies=[require(*STAFF)])
def list_suppressions(
    tx: Tx,
    audit: Audit,
    silence: Annotated[UUID | None, Query(description="held back by this silence")] = None,
    alert: Annotated[UUID | None, Query(description="explained by this alert")] = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> SuppressionPage:
    """Every finding that opened no alert, with its cause: nothing is dropped without a word."""
    (before,) = decode_cursor(cursor, cursor_number)
    rows = tx.all("silences.suppressions", silence=silence, alert=alert, before=before, limit=limit + 1)
    shown, following = page(rows, limit, lambda row: (row["id"],))
    audit.record("list", "suppression")
    return SuppressionPage(items=[_suppression(row) for row in shown], next=following)


def _get(tx: Transaction, silence: UUID) -> dict[str, Any]:
    row = tx.first("silences.get", id=silence)
    if row is None:
        raise NotFound("there is no such silence")
    return row


def _view(row: dict[str, Any], now: datetime) -> Silence:
    over = row["ended_at"] is not None or row["ends_at"] <= now
    return Silence(**row, state="ended" if over else "active" if row["starts_at"] <= now else "planned")


def _suppression(row: dict[str, Any]) -> Suppression:
    pair = type_names(row["type"])
    return Suppression(**row, type_name=Names(zh=pair.zh, en=pair.en))
