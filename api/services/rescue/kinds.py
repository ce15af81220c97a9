"""Rescue incidents: an emergency alert enters, its dispatch, outcome and review leave.

An incident follows its alert (`follow.py`): who acknowledged, arrived and resolved is told once, at the alert. What an
alert does not know is kept here: the judgement, who was sent, the hospital, and what was learnt afterwards.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from api.schemas import Input, Name, Storable
from api.services.engine.kind import Note, Reason, RecordIn, RecordKind, Step
from api.services.engine.machine import ADMIN, SAME, STAFF, machine, move
from core.errors import BadInput
from core.vocabulary import Role

Words = Annotated[str, Field(max_length=2000), Storable]
REVIEW_DAYS: Final = 3
"""Within how long an emergency is looked back at: this platform's own aim, no standard."""


class IncidentIn(RecordIn):
    """An incident by hand, for an alert that is none by itself."""

    alert_id: UUID


class Assess(Input):
    """What it is, and what is needed."""

    category: Literal[
        "choking", "poisoning", "pressure_injury", "scald", "bed_fall", "fall", "injury", "wandering", "activity",
        "illness", "fire", "gas", "other",
    ] = Field(description="九防 and beyond", examples=["fall"])  # fmt: skip
    judgement: Words = Field(examples=["意识清楚，右髋疼痛，不能站立"])


class Dispatch(Input):
    """Who is sent."""

    to: Literal["staff", "ambulance", "fire", "police", "gas", "community"] = Field(examples=["ambulance"])
    who: Name = Field(examples=["120 急救"])
    told: Words = Field(default="", description="what they were told: address, way in, conditions")


class Hospital(Input):
    """Where to."""

    hospital: Name = Field(examples=["高新区人民医院"])
    accompanied_by: Name = Field(examples=["李护士"])


class Handle(Input):
    """What was done on the spot."""

    done: Words = Field(examples=["检查无外伤，扶起，观察 2 小时"])


class Review(Input):
    """Looked back at."""

    cause: Words = Field(examples=["夜间如厕未开灯"])
    lessons: Words = Field(default="", examples=["床边加装感应夜灯"])
    response_adequate: bool


class IncidentDetail(BaseModel):
    """An incident."""

    alert_id: UUID
    alert_type: str = ""
    severity: str = ""
    occurred_at: datetime | None = None
    outcome: str = ""
    category: str = ""
    judgement: str = ""
    to: str = ""
    who: str = ""
    told: str = ""
    hospital: str = ""
    accompanied_by: str = ""
    done: str = ""
    cause: str = ""
    lessons: str = ""
    response_adequate: bool | None = None
    note: str = ""
    reason: str = ""


def open_by_hand(step: Step) -> None:
    """For an alert of this resident."""
    row = step.tx.first("rescue.alert", alert=step.body.alert_id, resident=step.record["resident_id"])
    if row is None:
        raise BadInput("there is no such alert of this resident")
    step.detail.update(
        alert_type=row["type"],
        severity=row["severity"],
        occurred_at=row["occurred_at"].isoformat(),
    )


def ended(step: Step) -> None:
    """The look back is due."""
    step.record["due_at"] = step.now + timedelta(days=REVIEW_DAYS)


MACHINE: Final = machine(
    "incident 救援事件 Incident",
    "triggered 已触发 Triggered, claimed 已认领 Claimed, assessed 已研判 Assessed, dispatched 已派单 Dispatched,"
    "on_site 已到场 On site, handled 已处置 Handled, hospital 已转送医 Taken to hospital, cleared 已解除 Cleared,"
    "false_alarm 误报 False alarm, reviewed 已复盘 Reviewed, archived 已归档 Archived",
    move("claim 认领 Claim", "triggered", "claimed", STAFF, Note),
    move("assess 研判 Assess", "triggered claimed assessed", "assessed", STAFF, Assess),
    move("dispatch 派单 Dispatch", "claimed assessed dispatched on_site", "dispatched", STAFF, Dispatch, "family"),
    move("arrive 到场 Arrive", "triggered claimed assessed dispatched", "on_site", STAFF, Note, "family"),
    move("handle 处置 Handle", "on_site dispatched", "handled", STAFF, Handle, "family"),
    move("send_to_hospital 转送医 To hospital", "on_site dispatched handled", "hospital", STAFF, Hospital, "family"),
    move("clear 解除 Clear", "triggered claimed assessed dispatched on_site handled", "cleared", STAFF, Note, "family"),
    move("call_false 误报 False alarm", "triggered claimed assessed dispatched on_site", "false_alarm", STAFF, Reason,
         "family"),
    move("note 补充 Note", "handled hospital cleared false_alarm", SAME, STAFF, Note),
    move("review 复盘 Review", "handled hospital cleared false_alarm", "reviewed", STAFF, Review),
    move("archive 归档 Archive", "reviewed", "archived", ADMIN),
    due="handled hospital cleared false_alarm",
)  # fmt: skip
INCIDENT: Final = RecordKind(
    service="rescue",
    machine=MACHINE,
    path="incidents",
    create=IncidentIn,
    creators=STAFF,
    readers=frozenset({Role.ADMIN, Role.CAREGIVER, Role.FAMILY}),
    detail=IncidentDetail,
    scope="alerts",
    rules={
        "create": open_by_hand, "handle": ended, "send_to_hospital": ended, "clear": ended, "call_false": ended,
    },
)  # fmt: skip
KINDS: Final = (INCIDENT,)

FOLLOWS: Final[dict[str, str]] = {"acknowledged": "claim", "on_site": "arrive"}
"""What an incident does when its alert reaches this state."""
ENDS: Final[dict[str, str]] = {"hospital": "note", "false_alarm": "call_false", "test": "call_false"}
"""What it does when its alert is resolved with this outcome; with any other it is cleared."""
