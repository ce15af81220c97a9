"""Routes of readings: a resident's newest values, series and timeline."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.access import open_metrics, require_metric, resident_scopes
from api.deps import API, STAFF, Audit, Caller, Tx, require
from api.paging import LIMIT_DEFAULT, Cursor, Limit, Page, cursor_text, cursor_time, decode_cursor, page
from api.residents import series
from api.schemas import Instant, Names, Word
from api.state import State
from core.metrics import BY_ID
from core.readings import Flag
from core.vocabulary import ALERT_TYPES, DEVICE_KINDS, EVENT_TYPES, Role, Severity
from core.vocabulary import Names as Words

router = APIRouter(prefix=f"{API}/residents", tags=["readings"])
READERS = (*STAFF, Role.FAMILY)
_LOOK_BACK = timedelta(days=30)


class LatestValue(BaseModel):
    """The newest value of one metric."""

    metric: str = Field(examples=["heart_rate"])
    name: Names
    unit: str = Field(examples=["/min"])
    value: float = Field(examples=[72])
    t: datetime
    device: str = Field(examples=["wb-0001"])
    flags: list[str] = Field(description="doubts about the value: clock, replayed, simulated", examples=[[]])


class LatestValues(BaseModel):
    """The newest value of each metric that the caller may see."""

    resident_id: UUID
    items: list[LatestValue]


class Point(BaseModel):
    """One bucket with readings in it; `t` is its start."""

    t: datetime
    avg: float = Field(examples=[71.5])
    min: float = Field(examples=[68])
    max: float = Field(examples=[77])
    count: int = Field(examples=[12])


class Series(BaseModel):
    """Readings of one metric over time; where nothing was measured there is no point."""

    metric: str = Field(examples=["heart_rate"])
    unit: str = Field(examples=["/min"])
    bucket: str = Field(examples=["5m"])
    points: list[Point]


class TimelineEntry(BaseModel):
    """Something that happened to or around a resident."""

    t: datetime
    kind: Literal["alert", "alert_action", "event", "binding"]
    id: str
    type: str = Field(examples=["fall"])
    title: Names
    severity: Severity | None = None
    state: str | None = Field(default=None, description="where the alert stands now")
    action: str = Field(default="", examples=["acknowledge"])
    actor: str = ""
    note: str = ""
    device: str | None = Field(default=None, examples=["wb-0001"])


class TimelinePage(Page[TimelineEntry]):
    """What happened, newest first."""


@router.get("/{resident_id}/latest", summary="最新读数 · Newest values", dependencies=[require(*READERS)])
def get_latest(resident_id: UUID, caller: Caller, tx: Tx, state: State, audit: Audit) -> LatestValues:
    """The newest value of each metric, from the devices that served the resident at its time."""
    metrics = open_metrics(resident_scopes(tx, caller, resident_id))
    rows = {row["metric"]: row for row in tx.all("readings.latest", resident=resident_id, metrics=metrics)}
    since = state.clock.now() - _LOOK_BACK
    for row in tx.all("readings.latest_before_unbinding", resident=resident_id, metrics=metrics, since=since):
        known = rows.get(row["metric"])
        if known is None or known["time"] < row["time"]:
            rows[row["metric"]] = row
    audit.record("read_latest", "resident", resident_id)
    return LatestValues(resident_id=resident_id, items=[_latest(rows[key]) for key in sorted(rows)])


def _latest(row: dict[str, Any]) -> LatestValue:
    metric = BY_ID[row["metric"]]
    return LatestValue(
        metric=metric.code,
        name=Names(zh=metric.zh, en=metric.en),
        unit=metric.unit,
        value=row["value"],
        t=row["time"],
        device=row["device"],
        flags=[flag.name.lower() for flag in Flag if row["flags"] & flag and flag.name],
    )


@router.get("/{resident_id}/readings", summary="读数曲线 · Readings over time", dependencies=[require(*READERS)])
def get_readings(
    resident_id: UUID,
    caller: Caller,
    tx: Tx,
    state: State,
    audit: Audit,
    metric: Annotated[Word, Query(description="code of the metric", examples=["heart_rate"])],
    from_: Annotated[Instant | None, Query(alias="from", description="24 hours before `to` unless given")] = None,
    to: Annotated[Instant | None, Query(description="now unless given; not included")] = None,
    bucket: Annotated[
        str, Query(max_length=16, description="raw, 1m, 5m, 15m, 1h, 1d (also PT5M …)", examples=["5m"])
    ] = "5m",
) -> Series:
    """Average, extremes and count per bucket; `raw` gives each reading. Days begin at midnight in China (16:00 UTC)."""
    wanted = series.parse_metric(metric)
    now = state.clock.now()
    query = series.plan(wanted, from_, to, bucket, now)
    require_metric(wanted, resident_scopes(tx, caller, resident_id))
    points = series.read(tx, resident_id, query, now=now)
    audit.record("read_readings", "resident", resident_id, metric=wanted.code)
    return Series(
        metric=wanted.code,
        unit=wanted.unit,
        bucket=query.bucket,
        points=[Point.model_construct(**row) for row in points],
    )


_ALERT_EVENTS = (
    "sos", "fall", "smoke", "gas", "co", "water_leak", "tamper", "power_loss", "power_restore", "test", "restore",
)  # fmt: skip
_EVENTS_OF_SCOPE: dict[str, tuple[str, ...]] = {
    "alerts": _ALERT_EVENTS,
    "activity": ("bed_exit", "bed_return", "door_open", "door_close", "low_battery"),
    "location": ("geofence_exit", "geofence_return"),
}


@router.get("/{resident_id}/timeline", summary="时间线 · Timeline", dependencies=[require(*READERS)])
def get_timeline(
    resident_id: UUID, caller: Caller, tx: Tx, audit: Audit, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None
) -> TimelinePage:
    """Alerts, what people did about them, events, and devices put on and taken off, newest first."""
    scopes = resident_scopes(tx, caller, resident_id)
    before, before_kind, before_id = decode_cursor(cursor, cursor_time, cursor_text, cursor_text)
    staff = caller.role is not Role.FAMILY
    kinds = ["event", *(["alert", "alert_action"] if "alerts" in scopes else []), *(["binding"] if staff else [])]
    event_types = None if staff else sorted({one for scope in scopes for one in _EVENTS_OF_SCOPE.get(scope, ())})
    rows = tx.all(
        "alert_views.timeline",
        resident=resident_id,
        kinds=kinds,
        event_types=event_types,
        before=before,
        before_kind=before_kind,
        before_id=before_id,
        window=limit + 1 + _TIES_MAX,
        limit=limit + 1,
    )
    shown, following = page(rows, limit, lambda row: (row["t"], row["kind"], row["id"]))
    audit.record("read_timeline", "resident", resident_id)
    return TimelinePage(items=[TimelineEntry(**row, title=_title(row)) for row in shown], next=following)


# How many entries at one and the same instant a branch may hold beside a page, so that none is skipped.
_TIES_MAX = 200
_BINDING_TITLES = {"bound": Words("绑定设备", "Device bound"), "unbound": Words("解绑设备", "Device unbound")}


def _title(row: dict[str, Any]) -> Names:
    unknown = Words(row["type"], row["type"])
    if row["kind"] == "binding":
        verb, kind = _BINDING_TITLES[row["action"]], DEVICE_KINDS.get(row["type"], unknown)
        return Names(zh=f"{verb.zh}：{kind.zh}", en=f"{verb.en}: {kind.en}")
    names = (EVENT_TYPES if row["kind"] == "event" else ALERT_TYPES).get(row["type"], unknown)
    return Names(zh=names.zh, en=names.en)
