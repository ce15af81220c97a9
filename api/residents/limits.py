"""Vital limits of one person: a metric, values and a reason enter; the record of who set what, and why, leaves.

The detectors take new limits up at once; where a person has none, the defaults of `docs/detectors.md` apply.
"""

from __future__ import annotations

import math
from datetime import datetime
from itertools import pairwise
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field, StringConstraints, model_validator

from alerts.own_limits import DEFAULTS, LIMITS_RISING, own_limits
from api.deps import API, STAFF, Audit, Caller, Tx, require
from api.schemas import Input, Instant, Storable
from api.state import State
from core.errors import BadInput, NotFound
from core.ids import new_id
from core.metrics import BY_CODE, BY_ID
from db.tenant import Transaction

router = APIRouter(prefix=f"{API}/residents", tags=["residents"])

LimitedMetric = Literal["heart_rate", "spo2", "resp_rate", "body_temp", "bp_sys", "bp_dia", "glucose"]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500), Storable]
Bound = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]


class LimitsIn(Input):
    """Limits in the metric's unit; what is left out stays at the default."""

    metric: LimitedMetric = Field(examples=["heart_rate"])
    low: Bound | None = Field(default=None, examples=[50])
    high: Bound | None = Field(default=None, examples=[115])
    low_critical: Bound | None = Field(default=None, examples=[40])
    high_critical: Bound | None = Field(default=None, examples=[140])
    reason: Reason = Field(examples=["房颤，心内科医嘱"])
    since: Instant | None = Field(default=None, alias="from", description="when they begin; at once if left out")
    until: Instant | None = Field(default=None, description="when they end by themselves")

    @model_validator(mode="after")
    def _rising(self) -> LimitsIn:
        given = [v for v in (self.low_critical, self.low, self.high, self.high_critical) if v is not None]
        if not given:
            raise ValueError("at least one limit is needed")
        if any(lower > upper for lower, upper in pairwise(given)):
            raise ValueError("limits must rise from low_critical over low and high to high_critical")
        return self


class Limits(BaseModel):
    """Limits that were set for one person, with author and reason."""

    id: UUID
    metric: str = Field(examples=["heart_rate"])
    unit: str = Field(examples=["/min"])
    low: float | None
    high: float | None
    low_critical: float | None
    high_critical: float | None
    author: str = Field(examples=["李医生"])
    reason: str
    valid_from: datetime
    valid_to: datetime | None = Field(description="when they ended, or will; null while they hold")


class LimitsInForce(BaseModel):
    """What one metric is judged by now: the person's own limits, the defaults beside them; null is not judged."""

    metric: str = Field(examples=["heart_rate"])
    unit: str = Field(examples=["/min"])
    low: float | None
    high: float | None
    low_critical: float | None
    high_critical: float | None
    own: bool = Field(description="whether any of them was set for this person")


class LimitsList(BaseModel):
    """Every limit that was ever set for a resident, newest first, and what holds now."""

    items: list[Limits]
    in_force: list[LimitsInForce]
    next: None = None


@router.get("/{resident_id}/limits", summary="个人生命体征阈值 · Vital limits", dependencies=[require(*STAFF)])
def list_limits(resident_id: UUID, tx: Tx, state: State, audit: Audit) -> LimitsList:
    """What was set, and what holds now: where a person has no own limit, the default does."""
    tx.one("residents.exists", resident=resident_id)
    audit.record("read_limits", "resident", resident_id)
    items = _all(tx, resident_id)
    return LimitsList(items=items, in_force=in_force(items, state.clock.now()))


def in_force(items: list[Limits], now: datetime) -> list[LimitsInForce]:
    """What the detectors judge by at this moment."""
    held = {one.metric: one for one in items if one.valid_from <= now and (one.valid_to is None or one.valid_to > now)}
    found = []
    for metric, defaults in DEFAULTS.items():
        own = held.get(metric)
        limits = own_limits(defaults, own.model_dump()) if own else defaults
        values = {name: None if math.isnan(limits[name]) else limits[name] for name in LIMITS_RISING}
        found.append(LimitsInForce(metric=metric, unit=BY_CODE[metric].unit, own=own is not None, **values))
    return found


@router.post(
    "/{resident_id}/limits",
    summary="设置个人阈值 · Set vital limits",
    status_code=201,
    dependencies=[require(*STAFF)],
)
def set_limits(resident_id: UUID, body: LimitsIn, caller: Caller, tx: Tx, state: State, audit: Audit) -> Limits:
    """Replaces, from its beginning on, what held for this metric; the older record stays."""
    tx.one("residents.exists", resident=resident_id)
    now, metric = state.clock.now(), BY_CODE[body.metric]
    start = max(now, body.since or now)
    if body.until is not None and body.until <= start:
        raise BadInput("the limits would have ended before they begin")
    limits = new_id(state.clock)
    tx.run("limits.end_current", resident=resident_id, metric=metric.id, now=start)
    tx.run(
        "limits.insert",
        id=limits,
        tenant=caller.tenant,
        resident=resident_id,
        author=caller.id,
        now=start,
        **(body.model_dump() | {"metric": metric.id}),
    )
    tx.first("limits.tell")
    audit.record("set_limits", "resident", resident_id, metric=body.metric)
    return next(one for one in _all(tx, resident_id) if one.id == limits)


@router.delete(
    "/{resident_id}/limits/{metric}",
    summary="恢复默认阈值 · Back to the defaults",
    status_code=204,
    dependencies=[require(*STAFF)],
)
def end_limits(resident_id: UUID, metric: LimitedMetric, tx: Tx, state: State, audit: Audit) -> None:
    """From now on the defaults apply again; the record stays."""
    tx.one("residents.exists", resident=resident_id)
    if not tx.run("limits.end_current", resident=resident_id, metric=BY_CODE[metric].id, now=state.clock.now()):
        raise NotFound("no own limits hold for this metric")
    tx.first("limits.tell")
    audit.record("end_limits", "resident", resident_id, metric=metric)


def _all(tx: Transaction, resident: UUID) -> list[Limits]:
    return [_view(row) for row in tx.all("limits.list", resident=resident)]


def _view(row: dict[str, Any]) -> Limits:
    metric = BY_ID[row["metric"]]
    return Limits(**{**row, "metric": metric.code, "unit": metric.unit})
