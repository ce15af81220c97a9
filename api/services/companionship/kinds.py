"""Visits to those who are alone, and hours of those who visit: declared words enter, the kinds of record leave."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from api.schemas import Input, Instant, Storable
from api.services.companionship import ledger
from api.services.engine import orders
from api.services.engine.kind import Note, Plan, Reason, RecordIn, RecordKind, Step, Text
from api.services.engine.machine import ADMIN, FAMILY, PROVIDER, SAME, STAFF, machine, move
from core.errors import BadInput, Conflict

Words = Annotated[str, Field(max_length=2000), Storable]
DOERS: Final = STAFF | PROVIDER
MAKE_UP_DAYS: Final = 3
REFER_DAYS: Final = 2


class VisitIn(RecordIn, Note):
    """A visit or a call, planned."""

    way: Literal["visit", "phone", "video"] = Field(examples=["visit"])
    starts_at: Instant
    ends_at: Instant


class Assign(Input):
    """Who goes."""

    provider_id: UUID | None = Field(default=None, description="a volunteer group or a provider")
    worker_id: UUID | None = None


class Visited(Input):
    """What was found."""

    condition: Literal["good", "fair", "poor", "not_met"] = Field(examples=["good"])
    mood: int | None = Field(default=None, ge=1, le=5, description="1 very low, 5 very good", examples=[4])
    findings: Words = Field(default="", examples=["精神好，聊了半小时家常"])
    needs: list[Annotated[str, Field(max_length=200), Storable]] = Field(
        default=[], max_length=20, description="what is needed", examples=[["灯坏了，需维修"]]
    )
    minutes: int = Field(default=30, ge=1, le=600)


class Refer(Input):
    """To which service a need goes on."""

    service: Literal["health", "daily-living", "rescue", "medical", "home-care", "rehabilitation", "goods", "safety"]
    reason: Text = Field(examples=["独居，卫生间灯不亮，转居家改造"])


class VisitDetail(BaseModel):
    """A visit."""

    way: str
    note: str = ""
    condition: str = ""
    mood: int | None = None
    findings: str = ""
    needs: list[str] = []
    minutes: int | None = None
    visited_at: datetime | None = None
    certified: bool | None = None
    made_up: bool = Field(default=False, description="it was missed first")
    service: str = ""
    reason: str = ""


def plan(step: Step) -> None:
    """Missed when its time is over."""
    step.record["due_at"] = step.record["ends_at"]


def visited(step: Step) -> None:
    """Nobody met is no visit: it stays due. Needs that were found are passed on within two days."""
    if step.body.condition == "not_met":
        raise BadInput("nobody was met: plan the visit anew, or report a danger")
    step.detail["visited_at"] = step.now.isoformat()
    if step.was == "missed":
        step.detail["made_up"] = True
    step.record["due_at"] = step.now + timedelta(days=REFER_DAYS) if step.body.needs else None


def missed(step: Step) -> None:
    """To be made up for within three days."""
    step.record["due_at"] = step.now + timedelta(days=MAKE_UP_DAYS)


def review(step: Step) -> None:
    """Not while a need that was found went nowhere."""
    if step.detail.get("needs") and step.was in ("done", "made_up"):
        raise Conflict("the needs that were found are passed on first")


VISIT: Final = RecordKind(
    service="companionship",
    machine=machine(
        "visit 探访 Visit",
        "planned 已计划 Planned, assigned 已派发 Assigned, done 已执行 Done, referred 已转介 Referred,"
        "reviewed 已复核 Reviewed, archived 已归档 Archived, missed 未执行 Missed, made_up 已补访 Made up for,"
        "declined 老人婉拒 Declined",
        move("assign 派发 Assign", "planned assigned missed", "assigned", STAFF, Assign, "provider worker"),
        move("reschedule 改期 Reschedule", "planned assigned", SAME, DOERS | FAMILY, Plan, "worker staff"),
        move("report 登记探访 Report", "planned assigned", "done", DOERS, Visited, "family"),
        move("miss 未执行 Miss", "planned assigned", "missed", STAFF, Reason, "staff"),
        move("make_up 补访 Make up", "missed", "made_up", DOERS, Visited, "family"),
        move("decline 老人婉拒 Decline", "planned assigned missed", "declined", DOERS | FAMILY, Reason, "staff"),
        move("refer 转介 Refer", "done made_up referred", "referred", STAFF, Refer, "family"),
        move("review 复核 Review", "done made_up referred", "reviewed", STAFF, Note),
        move("archive 归档 Archive", "reviewed", "archived", STAFF),
        due="planned assigned missed done made_up",
    ),
    path="visits",
    create=VisitIn,
    creators=STAFF,
    readers=orders.READERS,
    detail=VisitDetail,
    timeouts={"planned": "miss", "assigned": "miss"},
    rules={
        "create": plan, "assign": orders.assign, "reschedule": plan, "report": visited, "make_up": visited,
        "miss": missed, "review": review,
    },
)  # fmt: skip


class HoursIn(Input):
    """Time that somebody gave, to be credited."""

    account_id: UUID
    minutes: int = Field(ge=1, le=24 * 60, examples=[60])
    visit_id: UUID | None = Field(default=None, description="the visit in which it was given")
    note: Words = ""


class Transfer(Input):
    """To somebody else's account."""

    to_account_id: UUID


class HoursDetail(BaseModel):
    """Time that was given, and what became of it."""

    account_id: UUID
    minutes: int
    kept: int | None = Field(default=None, description="minutes that went to the account; the rest became a gift")
    visit_id: UUID | None = None
    to_account_id: UUID | None = None
    note: str = ""
    reason: str = ""


def register_hours(step: Step) -> None:
    """For a person or a group that is there; a visit that took place counts once."""
    if ledger.locked(step, step.body.account_id)["kind"] not in ("person", "group"):
        raise BadInput("time is credited to people and groups")
    visit = step.body.visit_id
    if visit is not None and not step.tx.first("hours.visit_done", visit=visit):
        raise BadInput("there is no such visit, or it did not take place")
    if visit is not None and step.tx.first("hours.visit_counted", visit=visit, account=str(step.body.account_id)):
        raise Conflict("the time of this visit is registered already")


def credit(step: Step) -> None:
    """Into the account; over the cap into the common one."""
    step.detail["kept"] = ledger.credit(step, _account(step), step.detail["minutes"])


def transfer(step: Step) -> None:
    """A person's own time, to another person."""
    source = ledger.locked(step, _account(step))
    target = ledger.locked(step, step.body.to_account_id)
    if source["kind"] != "person" or target["kind"] != "person":
        raise BadInput("time is transferred from person to person; a group's can only be donated")
    if target["minutes"] + _kept(step) > ledger.CAP_MINUTES:
        raise Conflict("the other account would hold more than a person may keep")
    ledger.post(step, _account(step), step.body.to_account_id, _kept(step), "transfer")


def donate(step: Step) -> None:
    """Into the common account."""
    ledger.post(step, _account(step), ledger.own_account(step, "common"), _kept(step), "donate")


def redeem(step: Step) -> None:
    """For a service; a group's time can only be given away."""
    if ledger.locked(step, _account(step))["kind"] != "person":
        raise BadInput("a group's time can only be donated")
    ledger.post(step, _account(step), ledger.own_account(step, "spent"), _kept(step), "redeem")


def void(step: Step) -> None:
    """What was credited goes back to where it came from."""
    if step.was in ("credited", "frozen") and _kept(step):
        ledger.post(step, _account(step), ledger.own_account(step, "issue"), _kept(step), "void")


def _account(step: Step) -> UUID:
    return UUID(step.detail["account_id"])


def _kept(step: Step) -> int:
    kept: Any = step.detail.get("kept") or 0
    if not kept and step.action in ("transfer", "donate", "redeem"):
        raise Conflict("nothing of it is on the account")
    return int(kept)


HOURS: Final = RecordKind(
    service="companionship",
    machine=machine(
        "hours 时间银行 Time bank",
        "pending 待审核 Pending, credited 已入账 Credited, frozen 已冻结 Frozen, transferred 已转移 Transferred,"
        "donated 已捐赠 Donated, redeemed 已兑换 Redeemed, void 已注销 Void",
        move("credit 入账 Credit", "pending", "credited", ADMIN, Note),
        move("freeze 冻结 Freeze", "credited", "frozen", ADMIN, Reason),
        move("release 解冻 Release", "frozen", "credited", ADMIN, Reason),
        move("transfer 转移 Transfer", "credited", "transferred", STAFF, Transfer),
        move("donate 捐赠 Donate", "credited", "donated", STAFF, Note),
        move("redeem 兑换 Redeem", "credited", "redeemed", STAFF, Note),
        move("void 注销 Void", "pending credited frozen", "void", ADMIN, Reason),
    ),
    path="hours",
    create=HoursIn,
    creators=STAFF,
    readers=STAFF,
    detail=HoursDetail,
    rules={
        "create": register_hours, "credit": credit, "transfer": transfer, "donate": donate, "redeem": redeem,
        "void": void,
    },
)  # fmt: skip
KINDS: Final = (VISIT, HOURS)
