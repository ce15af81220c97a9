"""Incidents at the house: a report enters, an investigated and closed case with its measures leaves.

Categories are the nine protections (九防) that the safety standard of institutions asks for, and what belongs to a
house beside them. Levels follow the usual four; for `LEVELS_TOLD` the authority is told before the case can be
closed.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from api.schemas import Input, Instant, ShortText, Storable
from api.services.engine.kind import HOUSE, Note, Reason, RecordKind, Step, Text
from api.services.engine.machine import ADMIN, FAMILY, SAME, STAFF, machine, move
from core.errors import BadInput, Conflict

Category = Literal[
    "choking", "ingestion", "pressure_sore", "scald", "bed_fall", "fall", "injury", "wandering", "activity",
    "medication", "fire", "food_safety", "infection", "abuse", "fraud", "other",
]  # fmt: skip
Level = Literal["minor", "serious", "major", "extreme"]
LEVELS_TOLD: Final = ("serious", "major", "extreme")
INVESTIGATE_HOURS: Final = {"minor": 72, "serious": 24, "major": 12, "extreme": 2}
"""Within how long somebody looks into it: this platform's own aim, no standard."""
Words = Annotated[str, Field(max_length=4000), Storable]


class IncidentIn(Input):
    """What happened."""

    resident_id: UUID | None = Field(default=None, description="left out: nobody in particular")
    title: Annotated[str, Field(min_length=1, max_length=200), Storable] = Field(examples=["208 室跌倒"])
    category: Category = Field(examples=["fall"])
    level: Level = Field(examples=["minor"])
    occurred_at: Instant
    place: ShortText = Field(default="", examples=["1 号楼 2 层走廊"])
    description: Text = Field(examples=["夜间如厕返回时滑倒，意识清楚"])
    first_aid: Words = Field(default="", description="what was done at once", examples=["就地评估，冰敷右髋"])
    involved: list[ShortText] = Field(default=[], max_length=20, description="staff who were there")
    alert_id: UUID | None = Field(default=None, description="the alert that told of it")


class Grade(Input):
    """The level anew."""

    level: Level
    reason: Text


class Told(Input):
    """The authority was told."""

    authority: ShortText = Field(min_length=1, examples=["高新区民政局"])
    told_at: Instant
    reference: ShortText = ""


class Findings(Input):
    """What the investigation found."""

    cause: Text = Field(examples=["走廊夜灯损坏，地面湿滑"])
    preventable: bool
    measures: list[Annotated[str, Field(min_length=1, max_length=300), Storable]] = Field(
        min_length=1, max_length=20, examples=[["更换夜灯", "夜间巡视每小时一次"]]
    )
    measures_by: Instant = Field(description="until when they are carried out")


class IncidentDetail(BaseModel):
    """An incident."""

    category: str
    level: str
    occurred_at: datetime
    place: str = ""
    description: str
    first_aid: str = ""
    involved: list[str] = []
    alert_id: UUID | None = None
    authority: str = ""
    told_at: datetime | None = None
    reference: str = ""
    cause: str = ""
    preventable: bool | None = None
    measures: list[str] = []
    measures_by: datetime | None = None
    reason: str = ""


def report(step: Step) -> None:
    """It has happened already; somebody looks into it in time."""
    if step.body.occurred_at > step.now:
        raise BadInput("occurred_at lies in the future")
    _clock(step, step.body.level)


def grade(step: Step) -> None:
    """Another level, another clock."""
    if step.was == "reported":
        _clock(step, step.body.level)


def _clock(step: Step, level: str) -> None:
    step.record["due_at"] = step.now + timedelta(hours=INVESTIGATE_HOURS[level])


def conclude(step: Step) -> None:
    """Due when the measures are to be in place."""
    if step.body.measures_by <= step.now:
        raise BadInput("measures_by lies in the past")
    step.record["due_at"] = step.body.measures_by


def close(step: Step) -> None:
    """Not before the authority was told of what is serious."""
    if step.detail["level"] in LEVELS_TOLD and not step.detail.get("authority"):
        raise Conflict("the authority is told of a serious incident before it is closed")


INCIDENT: Final = RecordKind(
    service=HOUSE,
    machine=machine(
        "incident 事故 Incident",
        "reported 已上报 Reported, investigating 调查中 Under investigation, rectifying 整改中 Being put right,"
        "closed 已结案 Closed",
        move("grade 定级 Set the level", "reported investigating", SAME, ADMIN, Grade, "staff"),
        move("tell_authority 报告主管部门 Tell the authority", "reported investigating rectifying", SAME, ADMIN, Told),
        move("investigate 调查 Investigate", "reported", "investigating", STAFF, Note, "staff"),
        move("conclude 调查结论 Conclude", "investigating", "rectifying", ADMIN, Findings, "staff family"),
        move("reopen 重新调查 Investigate again", "rectifying", "investigating", ADMIN, Reason, "staff"),
        move("close 结案 Close", "rectifying", "closed", ADMIN, Note, "family"),
        due="reported investigating rectifying",
    ),
    path="incidents",
    create=IncidentIn,
    creators=STAFF,
    readers=STAFF | FAMILY,
    detail=IncidentDetail,
    scope="alerts",
    hidden_from_family=frozenset({"involved", "authority", "told_at", "reference"}),
    rules={"create": report, "grade": grade, "conclude": conclude, "close": close},
)
