"""The family's first look: a family account enters, each of its people today in one sentence leaves."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any, Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from pydantic import BaseModel, Field

from alerts.notify.message import type_names
from alerts.rota.calendar import zone_of
from api.alerts.schemas import Responding
from api.deps import API, Audit, Caller, Tx, require
from api.family import glance, monitoring
from api.family.kinship import called
from api.family.morning import MORNING_HOUR, Rise, rise
from api.family.schemas import Monitoring
from api.schemas import Names
from api.state import State
from core.metrics import BY_CODE
from core.vocabulary import OUTCOME_NAMES, STATE_NAMES, AlertState, Outcome, Role
from core.vocabulary import Names as Pair
from db.tenant import Transaction

router = APIRouter(prefix=f"{API}/family", tags=["residents"])
PEOPLE_MAX: Final = 50
ALERTS_MAX: Final = 50
_MINUTE: Final = timedelta(minutes=1)


class OwnContact(BaseModel):
    """How the account stands in the resident's list of contacts; `id` is what the quiet hours are set under."""

    id: UUID
    relation: str = Field(examples=["女儿"])
    quiet_from: time | None
    quiet_to: time | None
    zone: str
    wants_updates: bool


class AlertToday(BaseModel):
    """An alert of today, or one that is not over."""

    id: UUID
    type: str = Field(examples=["fall"])
    type_name: Names
    severity: str
    state: AlertState
    state_name: Names
    test: bool = Field(description="演练 · a drill")
    opened_at: datetime
    resolved_at: datetime | None
    outcome: Outcome | None
    outcome_name: Names | None
    responding: Responding | None = Field(description="null while nobody has answered")


class GotUp(BaseModel):
    """When the day began."""

    at: datetime
    by: Literal["bed", "motion"] = Field(description="bed: left it for good; motion: the first lasting activity")


class Today(BaseModel):
    """One resident today, as far as the account may know."""

    resident_id: UUID
    name: str = Field(examples=["王秀英"])
    called: Names = Field(description="妈妈 · what the account calls them; the name where that is not plain")
    room: str
    status: str
    scopes: list[str] = Field(examples=[["alerts", "health"]])
    sentence: Names
    tone: Literal["calm", "notice", "alarm", "unknown"]
    monitoring: Monitoring
    last_sample: datetime | None = Field(description="最近一次数据 · the newest sign of any device")
    got_up: GotUp | None = Field(description="needs the consent for activity")
    alerts: list[AlertToday] = Field(description="needs the consent for alerts")
    contact: OwnContact | None


class TodayList(BaseModel):
    """Everybody who has consented to the account."""

    at: datetime
    zone: str = Field(examples=["Asia/Shanghai"])
    items: list[Today]
    next: None = None


@router.get("/today", summary="今日一览 · Today at a glance", dependencies=[require(Role.FAMILY)])
def family_today(caller: Caller, tx: Tx, state: State, audit: Audit) -> TodayList:
    """A sentence for each resident who has consented to this account, with what it rests on.

    It is not taken for having seen a page about an alert: a screen that renews itself may have nobody before it.
    """
    now = state.clock.now()
    zone = zone_of(tx.one("rota.zone", tenant=caller.tenant)["timezone"])
    rows = tx.all("family.residents", user=caller.id, limit=PEOPLE_MAX)
    items = [_today(tx, row, now, zone) for row in rows]
    audit.record("read_today", "resident", "", ids=[str(row["id"]) for row in rows])
    return TodayList(at=now, zone=str(zone), items=items)


def _today(tx: Transaction, row: dict[str, Any], now: datetime, zone: ZoneInfo) -> Today:
    scopes = frozenset(row["scopes"])
    midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    watched = monitoring.judge(tx, row["id"], now)
    alerts = []
    if "alerts" in scopes:
        alerts = tx.all("family.alerts_of_today", resident=row["id"], since=midnight, limit=ALERTS_MAX)
    got_up = _rise(tx, row["id"], midnight, now) if "activity" in scopes else None
    word = called(row["relation"] or "", row["sex"], row["name"])
    known = glance.Known(
        called=word,
        status=row["status"],
        scopes=scopes,
        monitoring=watched,
        alerts=[one for one in alerts if one["evidence"].get("test") is not True],
        away=tx.first("away.current", resident=row["id"], now=now),
        rise=got_up,
        now=now,
        zone=zone,
    )
    tone, said = glance.sentence(known)
    samples = [one.last_sample for one in watched.devices if one.last_sample is not None]
    return Today(
        resident_id=row["id"],
        called=_pair(word),
        sentence=_pair(said),
        tone=tone,
        monitoring=watched,
        last_sample=max(samples, default=None),
        got_up=GotUp(at=got_up.at, by=got_up.by) if got_up else None,
        alerts=[_alert(one) for one in alerts],
        contact=OwnContact(**{**row, "id": row["contact_id"]}) if row["contact_id"] else None,
        **{name: row[name] for name in ("name", "room", "status", "scopes")},
    )


def _rise(tx: Transaction, resident: UUID, midnight: datetime, now: datetime) -> Rise | None:
    start = midnight.replace(hour=MORNING_HOUR)
    if start >= now:
        return None
    points = {
        code: tx.all(
            "readings.bucketed_raw", resident=resident, metric=BY_CODE[code].id, start=start, end=now, width=_MINUTE,
            origin=start,
        )
        for code in ("bed", "motion")
    }  # fmt: skip
    return rise(points["bed"], points["motion"], now)


def _alert(row: dict[str, Any]) -> AlertToday:
    responding = None
    if row["actor"] is not None:
        responding = Responding(
            name=row["actor"], role=row["actor_role"] or "", since=row["answered_at"],
            on_site=row["answer"] == "arrived",
        )  # fmt: skip
    names = ("id", "type", "severity", "state", "opened_at", "resolved_at", "outcome")
    return AlertToday(
        **{name: row[name] for name in names},
        type_name=_pair(type_names(row["type"])),
        state_name=_pair(STATE_NAMES[AlertState(row["state"])]),
        outcome_name=_pair(OUTCOME_NAMES[Outcome(row["outcome"])]) if row["outcome"] else None,
        test=row["evidence"].get("test") is True,
        responding=responding,
    )


def _pair(words: Pair) -> Names:
    return Names(zh=words.zh, en=words.en)
