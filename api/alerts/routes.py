"""Routes of alerts, escalation plans and notification channels."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import StreamingResponse

from alerts.service import REASON_NAMES, Action, Actor, act, seen
from api.alerts import stream, views
from api.alerts.schemas import (
    Acted,
    ActionBody,
    AlertDetail,
    AlertPage,
    ResolveBody,
)
from api.deps import API, STAFF, Audit, AuditTrail, Caller, Tx, require
from api.paging import LIMIT_DEFAULT, Cursor, Limit, cursor_id, cursor_time, decode_cursor, page
from api.state import State
from core.clock import Clock
from core.errors import BadInput, NotFound
from core.vocabulary import AlertState, Outcome, Role, Severity
from db.tenant import Transaction

router = APIRouter(prefix=API, tags=["alerts"])
READERS = (*STAFF, Role.FAMILY)
_NO_ALERT = "there is no such alert"


def _family(caller: Caller) -> UUID | None:
    return caller.id if caller.role is Role.FAMILY else None


@router.get("/alerts", summary="报警列表 · List alerts", dependencies=[require(*READERS)])
def list_alerts(
    caller: Caller,
    tx: Tx,
    audit: Audit,
    state: Annotated[list[AlertState] | None, Query(description="may be given several times")] = None,
    severity: Annotated[list[Severity] | None, Query(description="may be given several times")] = None,
    resident: Annotated[UUID | None, Query()] = None,
    limit: Limit = LIMIT_DEFAULT,
    cursor: Cursor = None,
) -> AlertPage:
    """Newest first; family sees those of residents who have consented."""
    before, before_id = decode_cursor(cursor, cursor_time, cursor_id)
    rows = tx.all(
        "alert_routes.list",
        states=[one.value for one in state] if state else None,
        severities=[one.value for one in severity] if severity else None,
        resident=resident,
        family=_family(caller),
        before=before,
        before_id=before_id,
        limit=limit + 1,
    )
    shown, following = page(rows, limit, lambda row: (row["opened_at"], row["id"]))
    audit.record("list", "alert", "", ids=[str(row["id"]) for row in shown])
    return AlertPage(items=[views.brief(row) for row in shown], next=following)


@router.get(
    "/alerts/stream",
    summary="报警实时流 · Live stream",
    dependencies=[require(*READERS)],
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def stream_alerts(
    caller: Caller,
    state: State,
    request: Request,
    last_event_id: Annotated[str | None, Header(max_length=20, pattern=r"^\d*$")] = None,
) -> StreamingResponse:
    """Server-sent events, one for each entry of a timeline; `id` resumes by `Last-Event-ID`, nothing is missed."""
    hub = getattr(request.app.state, "alert_hub", None)
    if hub is None:
        hub = request.app.state.alert_hub = stream.Hub(state.pool)

    def still_welcome() -> bool:
        account = state.accounts.load(caller.id)
        return account is not None and not account.disabled and account.token_version == caller.token_version

    last = int(last_event_id) if last_event_id else None
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    body = stream.events(hub, caller, last, still_welcome)
    return StreamingResponse(body, media_type="text/event-stream", headers=headers)


@router.get("/alerts/{alert_id}", summary="报警详情 · One alert", dependencies=[require(*READERS)])
def get_alert(alert_id: UUID, caller: Caller, tx: Tx, state: State, audit: Audit) -> AlertDetail:
    """With its timeline, evidence and the step that runs next if nobody answers.

    Reading it counts as having seen the pages about it: no other channel is tried for this person.
    """
    family = _family(caller)
    row = tx.first("alert_routes.get", id=alert_id, family=family)
    if row is None:
        raise NotFound(_NO_ALERT)
    audit.record("read", "alert", alert_id)
    seen(tx, state.clock, alert_id=alert_id, user_id=caller.id)
    return views.detail(tx, row, family=family)


def _act(
    tx: Transaction,
    clock: Clock,
    caller: Caller,
    audit: AuditTrail,
    alert_id: UUID,
    action: Action,
    body: ActionBody,
    outcome: Outcome | None = None,
) -> Acted:
    family = _family(caller)
    if tx.first("alert_routes.get", id=alert_id, family=family) is None:
        raise NotFound(_NO_ALERT)
    done = act(
        tx,
        clock,
        alert_id=alert_id,
        action=action,
        actor=Actor(caller.id, caller.name, caller.role.value),
        outcome=outcome,
        note=body.note,
        expected_version=body.version,
    )
    audit.record(action.value, "alert", alert_id, changed=done["changed"], outcome=outcome.value if outcome else None)
    row = tx.one("alert_routes.get", id=alert_id, family=family)
    fields = views.detail_fields(tx, row, family=family)
    reason_name = views.names(REASON_NAMES[done["reason"]])
    return Acted(**fields, changed=done["changed"], reason=done["reason"], reason_name=reason_name)


@router.post("/alerts/{alert_id}/acknowledge", summary="响应 · I take it", dependencies=[require(*READERS)])
def acknowledge_alert(
    alert_id: UUID, caller: Caller, tx: Tx, state: State, audit: Audit, body: ActionBody | None = None
) -> Acted:
    """Stops the escalation. Doing it again changes nothing and says so.

    Where family answers, those on duty and the desk are told at once.
    """
    return _act(tx, state.clock, caller, audit, alert_id, Action.ACKNOWLEDGE, body or ActionBody())


@router.post("/alerts/{alert_id}/arrive", summary="到场 · I am there", dependencies=[require(*READERS)])
def arrive_at_alert(
    alert_id: UUID, caller: Caller, tx: Tx, state: State, audit: Audit, body: ActionBody | None = None
) -> Acted:
    """Somebody is with the resident; whoever arrives first has thereby answered."""
    return _act(tx, state.clock, caller, audit, alert_id, Action.ARRIVE, body or ActionBody())


@router.post("/alerts/{alert_id}/resolve", summary="解除 · It is over", dependencies=[require(*STAFF)])
def resolve_alert(
    alert_id: UUID, caller: Caller, tx: Tx, state: State, audit: Audit, body: ResolveBody | None = None
) -> Acted:
    """Needs an outcome; possible from every state that is not resolved."""
    given = body or ResolveBody()
    return _act(tx, state.clock, caller, audit, alert_id, Action.RESOLVE, given, given.outcome)


@router.post("/alerts/{alert_id}/escalate", summary="请求增援 · Get more help", dependencies=[require(*READERS)])
def escalate_alert(
    alert_id: UUID, caller: Caller, tx: Tx, state: State, audit: Audit, body: ActionBody | None = None
) -> Acted:
    """Runs the next step of the plan now; after the last one everyone is paged again."""
    return _act(tx, state.clock, caller, audit, alert_id, Action.ESCALATE, body or ActionBody())


@router.post("/alerts/{alert_id}/comment", summary="备注 · Comment", dependencies=[require(*READERS)])
def comment_on_alert(
    alert_id: UUID, caller: Caller, tx: Tx, state: State, audit: Audit, body: ActionBody
) -> Acted:  # fmt: skip
    """A note on the timeline; also family may leave one, also after the end."""
    if not body.note.strip():
        raise BadInput("a comment needs a note")
    return _act(tx, state.clock, caller, audit, alert_id, Action.COMMENT, body)
