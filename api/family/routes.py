"""Routes for families: away and hospital, the rescue card, whether somebody is watched over."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter

from alerts.family import away
from alerts.notify.message import type_names
from api.access import is_staff, resident_scopes
from api.deps import API, STAFF, Audit, Caller, Tx, require
from api.errors import PreconditionFailed
from api.family import monitoring
from api.family.schemas import Away, AwayBody, AwayPage, HeldFinding, Monitoring, RescueCard, RescueCardBody
from api.paging import LIMIT_DEFAULT, Cursor, Limit, cursor_id, cursor_time, decode_cursor, page
from api.schemas import Names
from api.state import State
from core.errors import BadInput, Conflict, Forbidden, NotFound
from core.ids import new_id
from core.vocabulary import PAUSED_WHILE_AWAY, Role
from db.tenant import Transaction

router = APIRouter(prefix=f"{API}/residents", tags=["residents"])
READERS: Final = (*STAFF, Role.FAMILY)
AWAY_DAYS_MAX: Final = 366
_KINDS: Final = {code: Names(zh=names.zh, en=names.en) for code, names in away.NAMES.items()}


@router.get("/{resident_id}/away", summary="外出与住院 · Absences", dependencies=[require(*READERS)])
def list_away(
    resident_id: UUID,
    caller: Caller,
    tx: Tx,
    state: State,
    audit: Audit,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> AwayPage:
    """Newest first, each with what detectors found meanwhile; the findings need the consent for activity."""
    scopes = resident_scopes(tx, caller, resident_id)
    before, before_id = decode_cursor(cursor, cursor_time, cursor_id)
    rows = tx.all("away.list", resident=resident_id, before=before, before_id=before_id, limit=limit + 1)
    shown, following = page(rows, limit, lambda row: (row["begins_at"], row["id"]))
    audit.record("read_away", "resident", resident_id)
    return AwayPage(items=_views(tx, shown, state, open_findings="activity" in scopes), next=following)


@router.post(
    "/{resident_id}/away", summary="登记外出或住院 · Away from now", status_code=201, dependencies=[require(*READERS)]
)
def begin_away(resident_id: UUID, body: AwayBody, caller: Caller, tx: Tx, state: State, audit: Audit) -> Away:
    """Holds what detectors conclude from an empty home, until the end date. A call for help is never held.

    Family may note it with the consent for alerts.
    """
    _may_write(tx, caller, resident_id)
    now = state.clock.now()
    begins_at = body.begins_at or now
    if body.until <= max(begins_at, now):
        raise BadInput("the absence would have ended already")
    if body.until > begins_at + timedelta(days=AWAY_DAYS_MAX):
        raise BadInput(f"an absence lasts at most {AWAY_DAYS_MAX} days; note it again then")
    absence = new_id(state.clock)
    made = tx.run(
        "away.begin",
        id=absence,
        tenant=caller.tenant,
        resident=resident_id,
        kind=body.kind,
        begins_at=begins_at,
        until=body.until,
        reason=body.reason,
        author_id=caller.id,
        author=caller.name,
        now=now,
    )
    if not made:
        raise Conflict("an absence is noted already; end it first")
    if begins_at <= now:
        tx.run("away.status", resident=resident_id, status=body.kind, now=now)
    audit.record("begin_away", "resident", resident_id, kind=body.kind, until=body.until.isoformat())
    rows = tx.all("away.list", resident=resident_id, before=None, before_id=None, limit=50)
    (view,) = _views(tx, [row for row in rows if row["id"] == absence], state, open_findings=is_staff(caller))
    return view


@router.delete("/{resident_id}/away", summary="已返回 · Back again", status_code=204, dependencies=[require(*READERS)])
def end_away(resident_id: UUID, caller: Caller, tx: Tx, state: State, audit: Audit) -> None:
    """Everything is watched again at once; what was held and still holds is raised."""
    _may_write(tx, caller, resident_id)
    now = state.clock.now()
    if not tx.run("away.end", resident=resident_id, now=now, by=caller.name):
        raise NotFound("no absence is noted")
    tx.run("away.status", resident=resident_id, status="active", now=now)
    audit.record("end_away", "resident", resident_id)


def _may_write(tx: Transaction, caller: Caller, resident_id: UUID) -> None:
    if "alerts" not in resident_scopes(tx, caller, resident_id):
        raise Forbidden("there is no consent to alerts of this resident")


def _views(tx: Transaction, rows: list[dict[str, Any]], state: State, *, open_findings: bool) -> list[Away]:
    findings: dict[UUID, list[HeldFinding]] = {}
    for row in tx.all("away.findings", ids=[row["id"] for row in rows]) if open_findings else ():
        names = type_names(row["type"])
        one = HeldFinding(**row, type_name=Names(zh=names.zh, en=names.en))
        findings.setdefault(row["away_id"], []).append(one)
    now = state.clock.now()
    return [
        Away(
            **row,
            kind_name=_KINDS[row["kind"]],
            current=row["ended_at"] is None and row["begins_at"] <= now < row["until"],
            paused_types=sorted(PAUSED_WHILE_AWAY),
            findings=findings.get(row["id"], []),
        )
        for row in rows
    ]


@router.get("/{resident_id}/monitoring", summary="是否守护中 · Monitored now?", dependencies=[require(*READERS)])
def get_monitoring(resident_id: UUID, caller: Caller, tx: Tx, state: State, audit: Audit) -> Monitoring:
    """Whether somebody would be told if something happened now, and why not, in words."""
    resident_scopes(tx, caller, resident_id)
    audit.record("read_monitoring", "resident", resident_id)
    return monitoring.judge(tx, resident_id, state.clock.now())


@router.get("/{resident_id}/rescue-card", summary="救援卡 · Rescue card", dependencies=[require(*READERS)])
def get_rescue_card(resident_id: UUID, caller: Caller, tx: Tx, audit: Audit) -> RescueCard:
    """What helpers from outside are sent when a plan calls them; family needs the consent for health."""
    if "health" not in resident_scopes(tx, caller, resident_id):
        raise Forbidden("there is no consent to see health data of this resident")
    audit.record("read_rescue_card", "resident", resident_id)
    return _card(tx, resident_id)


@router.put("/{resident_id}/rescue-card", summary="保存救援卡 · Save the rescue card", dependencies=[require(*STAFF)])
def put_rescue_card(
    resident_id: UUID, body: RescueCardBody, caller: Caller, tx: Tx, state: State, audit: Audit
) -> RescueCard:  # fmt: skip
    """The whole card. Without `consented_by`, rescuers are told name, place, access and telephone, and no more."""
    tx.one("residents.exists", resident=resident_id)
    tx.one("residents.lock", resident=resident_id)
    known = tx.one("rescue_cards.card", resident=resident_id)
    if body.version is not None and body.version != known["version"]:
        raise PreconditionFailed(f"the card is at version {known['version']}, not {body.version}")
    now = state.clock.now()
    given = body.model_dump(exclude={"version"})
    record = {name: given.pop(name) for name in ("address", "access", "conditions", "medication")}
    tx.run("rescue_cards.put_record", resident=resident_id, now=now, **record)
    tx.run(
        "rescue_cards.put_card",
        resident=resident_id,
        tenant=caller.tenant,
        author=caller.id,
        now=now,
        consented_at=now if body.consented_by else None,
        **given,
    )
    audit.record("update_rescue_card", "resident", resident_id, consented=bool(body.consented_by))
    return _card(tx, resident_id)


def _card(tx: Transaction, resident_id: UUID) -> RescueCard:
    contacts = tx.all("rescue_cards.contacts", resident=resident_id)
    return RescueCard.of(tx.one("rescue_cards.card", resident=resident_id), contacts)
