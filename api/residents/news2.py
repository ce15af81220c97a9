"""The early warning score of one person: newest readings and what staff observed enter, NEWS2 with its parts leaves.

What no sensor tells (the SpO2 scale, oxygen, consciousness) is set here, with author, reason and an end.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field, StringConstraints, model_validator

from alerts.service import NEWS2_MEASURED, News2, news2, news2_age_max_seconds
from api.deps import API, STAFF, Audit, Caller, Tx, require
from api.schemas import Input, Instant, Storable
from api.state import State
from core.errors import BadInput, NotFound
from core.ids import new_id
from core.metrics import BY_CODE, BY_ID
from db.tenant import Transaction

router = APIRouter(prefix=f"{API}/residents", tags=["residents"])

Kind = Literal["spo2_scale", "oxygen", "consciousness"]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500), Storable]
VALUES: dict[Kind, tuple[str, ...]] = {
    "spo2_scale": ("1", "2"),
    "oxygen": ("air", "oxygen"),
    "consciousness": ("A", "C", "V", "P", "U"),
}
OBSERVED_HOURS = 24
"""How long an observation of consciousness holds unless told otherwise."""


class ClinicalIn(Input):
    """One setting or observation. `C V P U`: new confusion, answers to voice, to pain, unresponsive."""

    kind: Kind = Field(examples=["oxygen"])
    value: str = Field(min_length=1, max_length=10, examples=["oxygen"])
    reason: Reason = Field(examples=["慢阻肺，鼻导管 2 L/min"])
    until: Instant | None = Field(default=None, description="when it ends by itself; consciousness: 24 h if left out")

    @model_validator(mode="after")
    def _known(self) -> ClinicalIn:
        if self.value not in VALUES[self.kind]:
            raise ValueError(f"{self.kind} is one of {', '.join(VALUES[self.kind])}")
        return self


class Clinical(BaseModel):
    """A setting or observation, with who said it and why."""

    id: UUID
    kind: Kind = Field(examples=["oxygen"])
    value: str = Field(examples=["oxygen"])
    author: str = Field(examples=["李医生"])
    reason: str
    valid_from: datetime
    valid_to: datetime | None = Field(description="when it ended, or will; null while it holds")


class ClinicalList(BaseModel):
    """Everything that was ever set or observed, newest first."""

    items: list[Clinical]
    next: None = None


class Part(BaseModel):
    """One parameter of the score."""

    parameter: str = Field(examples=["heart_rate"])
    points: int | None = Field(description="null: missing", examples=[1])
    value: float | str | None = Field(examples=[96])
    unit: str = Field(examples=["/min"])
    t: datetime | None = Field(description="when it was measured or said")
    source: str = Field(description="the device, or who said it", examples=["wb-0001"])
    age_max_seconds: float | None = Field(description="an older value counts as missing", examples=[3600])


class News2Out(BaseModel):
    """NEWS2 of the Royal College of Physicians (2017). Partial: something is missing, the score is the least."""

    resident_id: UUID
    at: datetime
    score: int = Field(examples=[3])
    risk: Literal["low", "low-medium", "medium", "high"]
    single_3: bool = Field(description="whether one parameter alone scores 3")
    spo2_scale: Literal[1, 2]
    partial: bool
    missing: list[str] = Field(examples=[["consciousness"]])
    parts: list[Part]


@router.get(
    "/{resident_id}/news2", summary="早期预警评分 · Early warning score (NEWS2)", dependencies=[require(*STAFF)]
)
def get_news2(resident_id: UUID, tx: Tx, state: State, audit: Audit) -> News2Out:
    """From the newest reading of each parameter that is young enough, and what staff set or observed."""
    tx.one("residents.exists", resident=resident_id)
    audit.record("read_news2", "resident", resident_id)
    return score_of(tx, resident_id, state.clock.now())


def score_of(tx: Transaction, resident_id: UUID, now: datetime) -> News2Out:
    """The score of one person at this moment."""
    rows = tx.all("readings.latest", resident=resident_id, metrics=[BY_CODE[code].id for code in NEWS2_MEASURED])
    latest = {BY_ID[row["metric"]].code: row for row in rows}
    young = {code: row for code, row in latest.items() if now - row["time"] <= _age_max(code)}
    said = {row["kind"]: row for row in tx.all("clinical.current", resident=resident_id, now=now)}
    scale2 = said.get("spo2_scale", {}).get("value") == "2"
    score = news2(
        {code: row["value"] for code, row in young.items()},
        scale2=scale2,
        oxygen=said["oxygen"]["value"] == "oxygen" if "oxygen" in said else None,
        altered=said["consciousness"]["value"] != "A" if "consciousness" in said else None,
    )
    return News2Out(
        resident_id=resident_id,
        at=now,
        score=score.score,
        risk=score.risk,
        single_3=score.single_3,
        spo2_scale=2 if scale2 else 1,
        partial=score.partial,
        missing=list(score.missing),
        parts=[_part(name, score, latest, said) for name in score.parts],
    )


@router.get("/{resident_id}/clinical", summary="临床设置与观察 · Clinical settings", dependencies=[require(*STAFF)])
def list_clinical(resident_id: UUID, tx: Tx, audit: Audit) -> ClinicalList:
    """Those in force have no end, or one that lies ahead."""
    tx.one("residents.exists", resident=resident_id)
    audit.record("read_clinical", "resident", resident_id)
    return ClinicalList(items=_all(tx, resident_id))


@router.post(
    "/{resident_id}/clinical",
    summary="记录临床设置或观察 · Set or observe",
    status_code=201,
    dependencies=[require(*STAFF)],
)
def set_clinical(resident_id: UUID, body: ClinicalIn, caller: Caller, tx: Tx, state: State, audit: Audit) -> Clinical:
    """Replaces what held of this kind; the older record stays."""
    tx.one("residents.exists", resident=resident_id)
    now, until = state.clock.now(), body.until
    if until is None and body.kind == "consciousness":
        until = now + timedelta(hours=OBSERVED_HOURS)
    if until is not None and until <= now:
        raise BadInput("it would have ended already")
    one = new_id(state.clock)
    tx.run("clinical.end_current", resident=resident_id, kind=body.kind, now=now)
    tx.run(
        "clinical.insert",
        id=one,
        tenant=caller.tenant,
        resident=resident_id,
        kind=body.kind,
        value=body.value,
        author=caller.id,
        reason=body.reason,
        now=now,
        until=until,
    )
    tx.first("limits.tell")
    audit.record("set_clinical", "resident", resident_id, kind=body.kind)
    return next(row for row in _all(tx, resident_id) if row.id == one)


@router.delete(
    "/{resident_id}/clinical/{kind}",
    summary="结束临床设置 · End a clinical setting",
    status_code=204,
    dependencies=[require(*STAFF)],
)
def end_clinical(resident_id: UUID, kind: Kind, tx: Tx, state: State, audit: Audit) -> None:
    """From now on it is unknown again; the record stays."""
    tx.one("residents.exists", resident=resident_id)
    if not tx.run("clinical.end_current", resident=resident_id, kind=kind, now=state.clock.now()):
        raise NotFound("nothing of this kind holds")
    tx.first("limits.tell")
    audit.record("end_clinical", "resident", resident_id, kind=kind)


def _age_max(code: str) -> timedelta:
    return timedelta(seconds=news2_age_max_seconds(code))


def _part(name: str, score: News2, latest: dict[str, dict[str, Any]], said: dict[str, dict[str, Any]]) -> Part:
    """One parameter with what it rests on; a value that is too old is shown, without points."""
    points = score.parts[name]
    if name in NEWS2_MEASURED:
        row, unit, age = latest.get(name), BY_CODE[name].unit, news2_age_max_seconds(name)
        if row is None:
            return Part(parameter=name, points=points, value=None, unit=unit, t=None, source="", age_max_seconds=age)
        return Part(
            parameter=name,
            points=points,
            value=row["value"],
            unit=unit,
            t=row["time"],
            source=row["device"],
            age_max_seconds=age,
        )
    one = said.get(name)
    return Part(
        parameter=name,
        points=points,
        value=one["value"] if one else None,
        unit="",
        t=one["valid_from"] if one else None,
        source=one["author"] if one else "",
        age_max_seconds=None,
    )


def _all(tx: Transaction, resident: UUID) -> list[Clinical]:
    return [Clinical(**row) for row in tx.all("clinical.list", resident=resident)]
