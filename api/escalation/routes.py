"""Routes of escalation plans, their preview, notification channels with their health, and the settings of pages."""

from __future__ import annotations

import secrets
from datetime import date, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from psycopg.types.json import Jsonb

from alerts.lifecycle import is_urgent
from alerts.pages import PAGES_PER_MINUTE_MAX, UNSEEN_SECONDS
from alerts.plans import check_reachable, default_plan, plan_for, validate_plan
from alerts.recipients import Where, channels, place_of, resolve
from api.alerts.routes import READERS
from api.deps import API, STAFF, Audit, Caller, Tx, require
from api.errors import PreconditionFailed
from api.escalation.schemas import (
    AlertSettings,
    AlertSettingsBody,
    Channel,
    ChannelBody,
    ChannelHealth,
    ChannelList,
    NewChannel,
    Plan,
    PlanBody,
    PlanList,
    Preview,
    PreviewBody,
    PreviewRecipient,
    PreviewStep,
)
from api.state import AppState, State
from core.errors import BadInput, Forbidden, NotFound
from core.ids import new_id
from core.vocabulary import ALERT_TYPES, Role, Severity
from db.tenant import Transaction

router = APIRouter(prefix=API, tags=["alerts"])


@router.get("/escalation-plans", summary="升级预案 · Escalation plans", dependencies=[require(*STAFF)])
def list_escalation_plans(tx: Tx) -> PlanList:
    """The general plan first; version 0 is the platform's own."""
    rows = tx.all("escalation.plans")
    if not any(row["alert_type"] is None and not row["building"] for row in rows):
        rows = [{"alert_type": None, "steps": default_plan(), "version": 0, "updated_at": None}, *rows]
    return PlanList(items=[Plan(**row) for row in rows])


@router.put("/escalation-plans", summary="保存预案 · Save a plan", dependencies=[require(Role.ADMIN)])
def put_escalation_plan(body: PlanBody, caller: Caller, tx: Tx, state: State, audit: Audit) -> Plan:
    """Refuses a plan that would page nobody, has a step that is never reached, or ends with somebody who may be away.

    Alerts that are open keep the plan they began with.
    """
    if body.alert_type is not None and body.alert_type not in ALERT_TYPES:
        raise BadInput(f"alert_type must be null or one of: {', '.join(ALERT_TYPES)}")
    steps = validate_plan([step.model_dump() for step in body.steps])
    check_reachable(tx, steps)
    row = tx.first(
        "escalation.put_plan",
        id=new_id(state.clock),
        institution_id=caller.tenant,
        alert_type=body.alert_type,
        building=body.building,
        steps=Jsonb(steps),
        now=state.clock.now(),
        known=body.version,
    )
    if row is None:
        raise PreconditionFailed(f"the plan has changed since version {body.version}")
    audit.record(
        "update",
        "escalation_plan",
        body.alert_type or "",
        building=body.building,
        version=row["version"],
        steps=len(steps),
    )
    return Plan(**row)


@router.delete(
    "/escalation-plans",
    summary="删除预案 · Remove a plan",
    status_code=204,
    dependencies=[require(Role.ADMIN)],
)
def delete_escalation_plan(
    tx: Tx,
    audit: Audit,
    alert_type: Annotated[str | None, Query(max_length=64)] = None,
    building: Annotated[str, Query(max_length=100)] = "",
) -> None:
    """From then on the next wider plan counts, in the end the platform's own."""
    if not tx.run("escalation.delete_plan", alert_type=alert_type, building=building):
        raise NotFound("there is no such plan")
    audit.record("delete", "escalation_plan", alert_type or "", building=building)


@router.post("/escalation-plans/preview", summary="预览通知对象 · Who would be paged", dependencies=[require(*STAFF)])
def preview_escalation(body: PreviewBody, caller: Caller, tx: Tx, state: State, audit: Audit) -> Preview:
    """Who would be paged, and when, if this happened now; by the same rules that a page follows, writing nothing."""
    if body.resident_id is not None:
        tx.one("residents.exists", resident=body.resident_id)
        audit.record("preview", "resident", body.resident_id, alert_type=body.alert_type)
    where = place_of(tx, caller.tenant, body.resident_id)
    if body.steps is not None:
        steps = validate_plan([step.model_dump() for step in body.steps])
        check_reachable(tx, steps)
    else:
        steps = plan_for(tx, caller.tenant, body.alert_type, body.severity, where.building)
    at = body.at or state.clock.now()
    shown = [_preview_step(tx, at, where, step, body.severity) for step in steps]
    return Preview(alert_type=body.alert_type, severity=body.severity, at=at, steps=shown)


def _preview_step(tx: Transaction, at: datetime, where: Where, step: dict[str, Any], severity: Severity) -> PreviewStep:
    due_at = at + timedelta(seconds=step["after_seconds"])
    found = resolve(tx, due_at, where, step["whom"])
    people = []
    for one in found.recipients:
        schemes = [row["scheme"] for row in channels(tx, where.institution_id, one)]
        console = ["console"] if one.has_console or not schemes else []
        waits = None if is_urgent(severity) else one.quiet_until
        people.append(PreviewRecipient(key=one.key, name=one.name, channels=console + schemes, waits_until=waits))
    notes = [note.text for note in found.notes]
    return PreviewStep(**step, due_at=due_at, recipients=people, notes=notes)


@router.get("/alert-settings", summary="通知设置 · How pages are sent", dependencies=[require(*STAFF)])
def get_alert_settings(caller: Caller, tx: Tx) -> AlertSettings:
    """The institution's own, else the platform's."""
    row = tx.first("escalation.settings", institution_id=caller.tenant)
    default = {"pages_per_minute_max": PAGES_PER_MINUTE_MAX, "unseen_seconds": UNSEEN_SECONDS}
    return AlertSettings(**(row or {**default, "version": 0, "updated_at": None}))


@router.put("/alert-settings", summary="保存通知设置 · Save how pages are sent", dependencies=[require(Role.ADMIN)])
def put_alert_settings(
    body: AlertSettingsBody, caller: Caller, tx: Tx, state: State, audit: Audit
) -> AlertSettings:  # fmt: skip
    """How many pages a minute one person gets, the first of an emergency apart; how long one may stay unseen."""
    given = body.model_dump(exclude={"version"})
    row = tx.first(
        "escalation.put_settings", institution_id=caller.tenant, now=state.clock.now(), known=body.version, **given
    )
    if row is None:
        raise PreconditionFailed(f"the settings have changed since version {body.version}")
    audit.record("update", "alert_settings", "", **given)
    return AlertSettings(**row)


@router.get("/notification-channels", summary="通知渠道 · Channels", dependencies=[require(*READERS)])
def list_notification_channels(caller: Caller, tx: Tx, state: State) -> ChannelList:
    """All of the institution for an administrator, one's own for others; each with how it did in the last week."""
    owner = None if caller.role is Role.ADMIN else caller.id
    return ChannelList(
        items=[_channel(row) for row in tx.all("channels.list", owner=owner, since=_health_since(state))]
    )


@router.post(
    "/notification-channels", summary="添加渠道 · Add a channel", status_code=201, dependencies=[require(*READERS)]
)
def add_notification_channel(body: ChannelBody, caller: Caller, tx: Tx, state: State, audit: Audit) -> NewChannel:
    """An administrator may add one for anybody or the duty desk, others for themselves."""
    if caller.role is not Role.ADMIN and body.user_id != caller.id:
        raise Forbidden("only an administrator may set up channels for others: give your own user_id")
    if body.user_id is not None and tx.first("channels.user_exists", id=body.user_id) is None:
        raise NotFound("there is no such account")
    if body.contact_id is not None and tx.first("channels.contact_exists", id=body.contact_id) is None:
        raise NotFound("there is no such contact")
    secret = (body.secret or secrets.token_urlsafe(32)) if body.kind == "webhook" else ""
    channel = new_id(state.clock)
    tx.run(
        "channels.add",
        id=channel,
        institution_id=caller.tenant,
        secret=secret,
        now=state.clock.now(),
        **body.model_dump(exclude={"secret"}),
    )
    audit.record("create", "notification_channel", channel, kind=body.kind)
    (row,) = (row for row in tx.all("channels.list", owner=None, since=_health_since(state)) if row["id"] == channel)
    return NewChannel(**_channel(row).model_dump(), secret=secret or None)


@router.delete(
    "/notification-channels/{channel_id}",
    summary="删除渠道 · Remove a channel",
    status_code=204,
    dependencies=[require(*READERS)],
)
def delete_notification_channel(channel_id: UUID, caller: Caller, tx: Tx, audit: Audit) -> None:
    """Pages that still wait for it go to the next channel of their recipient."""
    owner = None if caller.role is Role.ADMIN else caller.id
    if not tx.run("channels.delete", id=channel_id, owner=owner):
        raise NotFound("there is no such channel")
    audit.record("delete", "notification_channel", channel_id)


def _health_since(state: AppState) -> date:
    return (state.clock.now() - timedelta(days=6)).date()


def _channel(row: dict[str, Any]) -> Channel:
    owner = "account" if row["user_id"] else "contact" if row["contact_id"] else "desk"
    tried = row["sent"] + row["failed"]
    success, failure = row["last_success_at"], row["last_failure_at"]
    health = ChannelHealth(
        sent=row["sent"],
        failed=row["failed"],
        success_share=row["sent"] / tried if tried else None,
        last_success_at=success,
        last_failure_at=failure,
        last_error=row["last_error"],
        ok=None if not tried else failure is None or (success is not None and success >= failure),
    )
    return Channel(**{**row, "owner": "rescue" if row["purpose"] == "rescue" else owner, "health": health})
