"""Rehabilitation plans, their sessions, aids on loan: declared words enter, the kinds of record leave."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from api.schemas import Input, Name, ShortText, Storable
from api.services.engine import orders
from api.services.engine.kind import Money, Note, Reason, RecordIn, RecordKind, Step, sight
from api.services.engine.machine import FAMILY, SAME, STAFF, machine, move
from core.days import end_of_day, local_day
from core.errors import BadInput, Conflict
from core.vocabulary import Role

Words = Annotated[str, Field(max_length=2000), Storable]
HEALTH_READERS: Final = frozenset({Role.ADMIN, Role.CAREGIVER, Role.FAMILY})
Score = Annotated[int, Field(ge=0, le=100)]


class PlanIn(RecordIn):
    """What was found before: the state that the plan starts from."""

    findings: Words = Field(examples=["脑梗后左侧肢体乏力"])
    score: Score = Field(description="outcome score at the beginning, such as Barthel", examples=[55])
    scale: ShortText = Field(default="barthel", examples=["barthel"])


class Goals(Input):
    """What shall be reached, how often, until when."""

    goals: Words = Field(examples=["独立站立 5 分钟，独立床椅转移"])
    sessions_planned: int = Field(ge=1, le=500, examples=[12])
    until: date


class Evaluate(Input):
    """Where it stands now."""

    score: Score
    words: Words = Field(default="", examples=["可扶拐行走 20 米"])


class PlanDetail(BaseModel):
    """A rehabilitation plan."""

    findings: str
    score: int
    scale: str = ""
    first_score: int | None = None
    scores: list[int] = Field(default=[], description="every evaluation in order, the first state first")
    goals: str = ""
    sessions_planned: int | None = None
    until: date | None = None
    words: str = ""
    note: str = ""
    reason: str = ""


def begin_scores(step: Step) -> None:
    """The first score stays, to show the change."""
    step.detail["first_score"] = step.body.score
    step.detail["scores"] = [step.body.score]


def set_goals(step: Step) -> None:
    """Due for evaluation on its last day."""
    if step.body.until < local_day(step.now):
        raise BadInput("until lies in the past")
    step.record["due_at"] = end_of_day(step.body.until)


def add_score(step: Step) -> None:
    """One more point of the curve; on the last day it is the evaluation that was due."""
    if step.record["due_at"] is not None and local_day(step.now) >= local_day(step.record["due_at"]):
        step.record["due_at"] = None
    step.detail["scores"] = [*step.detail.get("scores", []), step.body.score][-200:]


PLAN: Final = RecordKind(
    service="rehabilitation",
    machine=machine(
        "plan 康复计划 Rehabilitation plan",
        "assessed 已评估 Assessed, planned 已计划 Planned, running 执行中 Running, evaluated 阶段评价 Evaluated,"
        "closed 已结案 Closed",
        move("set_goals 定目标 Set goals", "assessed planned evaluated", "planned", STAFF, Goals, "family"),
        move("start 执行 Start", "planned evaluated", "running", STAFF, Note),
        move("evaluate 阶段评价 Evaluate", "running", "evaluated", STAFF, Evaluate, "family"),
        move("close 结案 Close", "assessed planned running evaluated", "closed", STAFF, Reason, "family"),
        due="planned running evaluated",
    ),
    path="plans",
    create=PlanIn,
    creators=STAFF,
    readers=HEALTH_READERS,
    detail=PlanDetail,
    scope="health",
    rules={"create": begin_scores, "set_goals": set_goals, "evaluate": add_score},
)


class SessionIn(RecordIn, Note):
    """One session of a plan."""

    plan_id: UUID
    exercise: ShortText = Field(examples=["站立平衡训练"])


class SessionDetail(orders.OrderDetail):
    """A session."""

    plan_id: UUID
    exercise: str


def add_session(step: Step) -> None:
    """Of a running plan of the same resident, with its time."""
    plan = step.tx.first("records.get", id=step.body.plan_id, **sight(PLAN, step.caller))
    if plan is None or plan["resident_id"] != step.record["resident_id"]:
        raise BadInput("there is no such plan for this resident")
    if plan["state"] != "running":
        raise Conflict("the plan is not running")
    if step.record["starts_at"] is None or step.record["ends_at"] is None:
        raise BadInput("starts_at and ends_at are needed")
    step.record["due_at"] = step.record["starts_at"]


SESSION: Final = RecordKind(
    service="rehabilitation",
    machine=orders.order_machine("session 康复训练 Session"),
    path="sessions",
    create=SessionIn,
    creators=STAFF,
    readers=orders.READERS,
    detail=SessionDetail,
    scope="health",
    rules={**orders.RULES, "create": add_session},
)


class AidIn(Input):
    """An aid comes into stock."""

    title: Name = Field(examples=["轮椅"])
    serial: Name = Field(examples=["WC-2026-0007"])
    category: Literal["wheelchair", "walker", "bed", "hoist", "hearing", "other"] = Field(examples=["wheelchair"])
    price: Money = Field(description="what it costs when lost")


class Reserve(Input):
    """For whom."""

    resident_id: UUID


class Lend(Input):
    """Handed over against a deposit."""

    until: date
    deposit: Money = Decimal(0)
    instructed: Literal[True] = Field(description="its use was shown and understood")


class Extend(Input):
    """Longer."""

    until: date


class Clean(Input):
    """Disinfected, how and by whom."""

    method: ShortText = Field(examples=["含氯消毒液擦拭 30 分钟"])


class Check(Input):
    """What the check found."""

    findings: Words = Field(examples=["刹车片磨损，已更换"])


class AidDetail(BaseModel):
    """An aid with its last loan."""

    serial: str
    category: str
    until: date | None = None
    deposit: Decimal | None = None
    instructed: bool = False
    method: str = ""
    findings: str = ""
    loans: int = 0
    note: str = ""
    reason: str = ""


def free_serial(step: Step) -> None:
    """A serial number stands for one aid."""
    if step.tx.first("aids.serial_taken", serial=step.body.serial):
        raise Conflict("an aid with this serial number is there already")


def lend(step: Step) -> None:
    """Due back on the last day."""
    _until(step)
    if step.action == "lend":
        step.detail["loans"] = step.detail.get("loans", 0) + 1


def _until(step: Step) -> None:
    if step.body.until <= local_day(step.now):
        raise BadInput("until lies in the past")
    step.record["due_at"] = end_of_day(step.body.until)


def back_in_house(step: Step) -> None:
    """Nobody's any more."""
    step.record["resident_id"] = None


AID: Final = RecordKind(
    service="rehabilitation",
    machine=machine(
        "aid 辅助器具 Aid on loan",
        "stocked 在库 In stock, reserved 已预约 Reserved, lent 已租出 Lent, due 已到期 Due, returned 已归还 Returned,"
        "disinfected 已消毒 Disinfected, repair 检修中 In repair, retired 已报废 Retired",
        move("reserve 预约 Reserve", "stocked", "reserved", STAFF, Reserve, "family"),
        move("release 取消预约 Release", "reserved", "stocked", STAFF, Reason, "family"),
        move("lend 租出 Lend", "reserved", "lent", STAFF, Lend, "family"),
        move("extend 续租 Extend", "lent due", "lent", STAFF, Extend, "family"),
        move("ask_longer 申请续租 Ask for longer", "lent due", SAME, FAMILY, Note, "staff"),
        move("fall_due 到期 Fall due", "lent", "due", STAFF, Note, "family staff"),
        move("take_back 归还 Take back", "lent due", "returned", STAFF, Check, "family"),
        move("disinfect 消毒 Disinfect", "returned", "disinfected", STAFF, Clean),
        move("check 检查入库 Check and stock", "disinfected repair", "stocked", STAFF, Check),
        move("send_to_repair 送修 Send to repair", "stocked returned disinfected", "repair", STAFF, Reason),
        move("retire 报废 Retire", "stocked returned disinfected repair", "retired", STAFF, Reason),
        due="lent due",
    ),
    path="aids",
    create=AidIn,
    creators=STAFF,
    readers=HEALTH_READERS,
    detail=AidDetail,
    timeouts={"lent": "fall_due"},
    rules={
        "create": free_serial, "lend": lend, "extend": lend, "release": back_in_house, "take_back": back_in_house,
    },
)  # fmt: skip
KINDS: Final = (PLAN, SESSION, AID)
