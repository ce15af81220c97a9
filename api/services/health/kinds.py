"""Care plans, follow-up of what is out of order, reminders: declared words enter, the kinds of record leave."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from api.schemas import Input, Instant, Name, Storable
from api.services.engine.kind import Note, Reason, RecordIn, RecordKind, Step
from api.services.engine.machine import FAMILY, SAME, STAFF, machine, move
from core.days import end_of_day, local_day
from core.errors import BadInput
from core.vocabulary import Role

Words = Annotated[str, Field(max_length=4000), Storable]
READERS: Final = frozenset({Role.ADMIN, Role.CAREGIVER, Role.FAMILY})
LOOK_HOURS: Final = 1
"""Within how long somebody looks at what is out of order: this platform's own aim, no standard."""
REMEASURE_MINUTES: Final = 15
"""After how long a reading that was out of order is taken again; for low glucose the published rule."""


class Measure(Input):
    """One thing that the plan asks for; with times it becomes a task of each such day."""

    what: Annotated[str, Field(min_length=1, max_length=200), Storable] = Field(examples=["每日测血压两次"])
    how_often: Annotated[str, Field(max_length=100), Storable] = Field(default="", examples=["每日 8:00、20:00"])
    times: list[Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]] = Field(
        default=[], max_length=24, description="wall time in China", examples=[["08:00", "20:00"]]
    )
    weekdays: list[Annotated[int, Field(ge=1, le=7)]] = Field(
        default=[], max_length=7, description="1 Monday to 7 Sunday; none: each day"
    )
    every_days: int = Field(default=1, ge=1, le=31, description="counted from the day the plan came into force")


class PlanIn(RecordIn):
    """A care plan as a draft; without measures, after the house's template for the resident's care level."""

    problems: Words = Field(default="", examples=["高血压 2 级，跌倒高风险"])
    goals: Words = Field(default="", examples=["血压 < 140/90，无跌倒"])
    measures: list[Measure] = Field(default=[], max_length=50)


class Activate(Input):
    """The plan comes into force."""

    review_on: date


class PlanDetail(BaseModel):
    """A care plan."""

    problems: str
    goals: str
    measures: list[Measure]
    care_level: int | None = Field(default=None, description="the resident's level when the plan was made")
    review_on: date | None = None
    active_on: date | None = Field(default=None, description="when this edition came into force")
    edition: int = 1
    note: str = ""
    reason: str = ""


def draft(step: Step) -> None:
    """The plan knows the care level that it was made for; its template fills what was left out."""
    level = step.tx.one("residents.get", resident=step.record["resident_id"])["care_level"]
    step.detail["care_level"] = level
    if step.detail["measures"]:
        return
    template = None if level is None else step.tx.first("care.template", level=level)
    if template is None:
        raise BadInput("measures are needed: the resident has no care level, or the house has no template for it")
    step.detail["measures"] = template["measures"]
    for word in ("problems", "goals"):
        step.detail[word] = step.detail[word] or template[word]


def activate(step: Step) -> None:
    """Due for review on its day."""
    if step.body.review_on <= local_day(step.now):
        raise BadInput("review_on lies in the past")
    step.record["due_at"] = end_of_day(step.body.review_on)
    step.detail["active_on"] = local_day(step.now).isoformat()


def revise(step: Step) -> None:
    """The next edition, for the level of now."""
    draft(step)
    step.detail["edition"] = step.detail.get("edition", 1) + 1


class Revise(Input):
    """The plan anew."""

    problems: Words
    goals: Words
    measures: list[Measure] = Field(min_length=1, max_length=50)


PLAN: Final = RecordKind(
    service="health",
    machine=machine(
        "plan 照护计划 Care plan",
        "draft 草稿 Draft, active 生效 Active, review 复核中 In review, ended 已终止 Ended",
        move("revise 修订 Revise", "draft review", "draft", STAFF, Revise),
        move("activate 生效 Activate", "draft review", "active", STAFF, Activate, "family"),
        move("review 复核 Review", "active", "review", STAFF, Note, "staff"),
        move("end 终止 End", "draft active review", "ended", STAFF, Reason, "family"),
        due="active",
    ),
    path="plans",
    create=PlanIn,
    creators=STAFF,
    readers=READERS,
    detail=PlanDetail,
    scope="health",
    timeouts={"active": "review"},
    rules={"create": draft, "revise": revise, "activate": activate},
)


class FollowUpIn(RecordIn):
    """A reading or an observation that is out of order."""

    finding: Words = Field(examples=["血压 172/98"])
    alert_id: UUID | None = Field(default=None, description="the alert that it came from")


class Confirm(Input):
    """Looked at: is it so?"""

    real: bool = Field(description="false: a fault of measuring")
    findings: Words = ""


class Handle(Input):
    """What was done."""

    done: Words = Field(examples=["卧床休息，遵医嘱加服一次降压药"])
    remeasure_at: Instant | None = Field(default=None, description="left out: in a quarter of an hour")


class Remeasure(Input):
    """The reading anew."""

    finding: Words = Field(examples=["血压 146/86"])
    better: bool


class FollowUpDetail(BaseModel):
    """From a reading that is out of order to one that is not, or to the doctor."""

    finding: str
    alert_id: UUID | None = None
    real: bool | None = None
    findings: str = ""
    done: str = ""
    remeasure_at: datetime | None = None
    better: bool | None = None
    note: str = ""


def raise_it(step: Step) -> None:
    """Of an alert of the same resident; somebody looks within the hour."""
    alert = step.body.alert_id
    if alert is not None and not step.tx.first("followups.alert_of", alert=alert, resident=step.record["resident_id"]):
        raise BadInput("there is no such alert of this resident")
    step.record["due_at"] = step.now + timedelta(hours=LOOK_HOURS)


def confirm(step: Step) -> None:
    """A fault of measuring asks for nothing more; what is real stays due until it is handled."""
    if not step.body.real:
        step.record["due_at"] = None


def remeasure(step: Step) -> None:
    """Better, and nothing is due; not better, and somebody looks again within the hour."""
    step.record["due_at"] = None if step.body.better else step.now + timedelta(hours=LOOK_HOURS)


def handle(step: Step) -> None:
    """Due for the second reading."""
    at = step.body.remeasure_at or step.now + timedelta(minutes=REMEASURE_MINUTES)
    step.record["due_at"] = at
    step.detail["remeasure_at"] = at.isoformat()


FOLLOW_UP: Final = RecordKind(
    service="health",
    machine=machine(
        "follow_up 异常随访 Follow-up",
        "raised 已触发 Raised, confirmed 已确认 Confirmed, handled 已处置 Handled, remeasured 已复测 Measured again,"
        "closed 已关闭 Closed",
        move("confirm 确认 Confirm", "raised", "confirmed", STAFF, Confirm),
        move("handle 处置 Handle", "confirmed remeasured", "handled", STAFF, Handle, "family"),
        move("remeasure 复测 Measure again", "handled", "remeasured", STAFF, Remeasure),
        move("close 关闭 Close", "confirmed remeasured", "closed", STAFF, Note, "family"),
        due="raised confirmed handled remeasured",
    ),
    path="follow-ups",
    create=FollowUpIn,
    creators=STAFF,
    readers=READERS,
    detail=FollowUpDetail,
    scope="health",
    rules={"create": raise_it, "confirm": confirm, "handle": handle, "remeasure": remeasure},
)


class ReminderIn(RecordIn):
    """Something to be done at a time: a medicine, a measurement, water."""

    what: Literal["medicine", "measure", "drink", "exercise", "appointment", "other"] = Field(examples=["medicine"])
    title: Name = Field(examples=["氨氯地平 5 mg"])
    starts_at: Instant
    grace_minutes: int = Field(default=60, ge=5, le=24 * 60, description="after that it counts as missed")


class ReminderDetail(BaseModel):
    """A reminder."""

    what: str
    grace_minutes: int
    note: str = ""
    reason: str = ""


def remind(step: Step) -> None:
    """Missed when the grace is over."""
    step.record["due_at"] = step.record["starts_at"] + timedelta(minutes=step.body.grace_minutes)


REMINDER: Final = RecordKind(
    service="health",
    machine=machine(
        "reminder 提醒 Reminder",
        "planned 已计划 Planned, reminded 已提醒 Reminded, done 已执行 Done, missed 漏执行 Missed,"
        "cancelled 已取消 Cancelled",
        move("remind 提醒 Remind", "planned reminded", "reminded", STAFF, Note, "family"),
        move("complete 已执行 Done", "planned reminded missed", "done", STAFF | FAMILY, Note),
        move("miss 漏执行 Missed", "planned reminded", "missed", STAFF, Note, "family staff"),
        move("postpone 顺延 Postpone", "planned reminded", SAME, STAFF, Reason),
        move("cancel 取消 Cancel", "planned reminded missed", "cancelled", STAFF, Reason),
        due="planned reminded",
    ),
    path="reminders",
    create=ReminderIn,
    creators=STAFF,
    readers=READERS,
    detail=ReminderDetail,
    scope="health",
    timeouts={"planned": "miss", "reminded": "miss"},
    rules={"create": remind},
)
KINDS: Final = (PLAN, FOLLOW_UP, REMINDER)
