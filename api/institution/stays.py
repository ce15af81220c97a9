"""A stay at the house, from the application to the end: declared words enter, the kind of record leaves.

One bed is given at a time, and a bed to one person: the database's own constraint says so, however many ask at once.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from alerts.service import Actor
from api.institution.keeping import Day
from api.institution.leaving import Gone, close_sight, leave
from api.institution.rules import rules_of
from api.schemas import Input, Instant, Name, ShortText, Storable
from api.services.engine.kind import HOUSE, Money, Note, Reason, RecordIn, RecordKind, Step
from api.services.engine.machine import ADMIN, FAMILY, SAME, STAFF, machine, move
from core.days import end_of_day, local_day
from core.errors import BadInput, Conflict
from core.ids import new_id

Words = Annotated[str, Field(max_length=2000), Storable]


class StayIn(RecordIn):
    """Who wishes to move in, and why."""

    wishes: Words = Field(default="", examples=["希望双人间，靠近护士站"])
    applied_by: Name = Field(description="the resident, or who applies for them", examples=["赵敏（女儿）"])


class Assess(Input):
    """What was found before admission: risks by the nine protections, and the bed that is needed."""

    findings: Words = Field(examples=["跌倒高风险，无压疮"])
    risks: list[Literal["choking", "ingestion", "pressure_sore", "scald", "bed_fall", "fall", "injury", "wandering",
                        "activity"]] = Field(default=[], max_length=9, examples=[["fall"]])  # fmt: skip
    suitable: bool = Field(description="whether the house can care for this person", examples=[True])
    bed_type: Literal["total_care", "nursing", "ordinary", "home"] = Field(examples=["nursing"])


class Reserve(Input):
    """A bed, kept until the person comes."""

    bed_id: UUID


class Sign(Input):
    """The service agreement."""

    agreement: Annotated[str, Field(min_length=1, max_length=100), Storable] = Field(examples=["AH-2026-0017"])
    agreed_by: Name = Field(description="the resident, or who may act for them", examples=["赵桂兰"])
    guardian: ShortText = Field(default="", description="who stands in for the resident", examples=["赵敏（女儿）"])
    agreed_until: Day
    deposit: Money = Decimal(0)
    after_death: Literal["relatives", "nobody"] = Field(
        default="relatives", description="who may still read after a death: close relatives, or nobody"
    )


class Trial(Input):
    """The trial stay begins."""

    until: Day = Field(description="its last day")


class Transfer(Input):
    """To another bed."""

    bed_id: UUID
    reason: Annotated[str, Field(min_length=1, max_length=1000), Storable] = Field(examples=["照护等级调整"])


class Renew(Input):
    """The agreement goes on."""

    agreement: Annotated[str, Field(min_length=1, max_length=100), Storable] = Field(examples=["AH-2027-0017"])
    agreed_by: Name
    agreed_until: Day


class Discharge(Input):
    """The stay ends."""

    reason: Literal["home", "hospital", "other_house", "not_suitable", "other"] = Field(examples=["home"])
    words: Words = ""
    to: ShortText = Field(default="", description="where the person goes", examples=["与女儿同住"])


class Death(Input):
    """Somebody has died."""

    died_at: Instant
    place: ShortText = Field(default="", examples=["高新区人民医院"])
    cause: ShortText = Field(default="", description="as the doctor wrote it")
    told: Name = Field(description="which relative was told", examples=["赵敏（女儿）"])


class StayDetail(BaseModel):
    """A stay."""

    applied_by: str
    wishes: str = ""
    findings: str = ""
    risks: list[str] = []
    suitable: bool | None = None
    bed_type: str = ""
    bed_id: UUID | None = None
    bed: str = Field(default="", description="where it is", examples=["1 2 208 208-1"])
    reserved_on: date | None = None
    bed_warned_on: date | None = Field(default=None, description="when it was told that the bed will be given away")
    bed_freed_on: date | None = Field(default=None, description="when it was given away, as nobody came for too long")
    agreement: str = ""
    agreed_by: str = ""
    guardian: str = ""
    agreed_until: date | None = None
    deposit: Decimal | None = None
    after_death: str = "relatives"
    until: date | None = Field(default=None, description="last day of the trial")
    admitted_on: date | None = None
    left_on: date | None = None
    reason: str = ""
    words: str = ""
    to: str = ""
    died_at: Instant | None = None
    place: str = ""
    cause: str = ""
    told: str = ""


def apply(step: Step) -> None:
    """One running stay for a person, and none for those who have died."""
    resident = step.record["resident_id"]
    step.tx.one("residents.lock", resident=resident)
    if step.tx.one("residents.get", resident=resident)["status"] == "deceased":
        raise Conflict("this person has died")
    if step.tx.first("stays.running", resident=resident, record=step.record["id"]):
        raise Conflict("this person has a running stay")


def assess(step: Step) -> None:
    """Who cannot be cared for here is refused, not admitted."""
    if not step.body.suitable:
        step.told["not_suitable"] = True


def reserve(step: Step) -> None:
    """The bed is kept; another one that was kept before is free again."""
    if step.detail.get("suitable") is False:
        raise Conflict("the assessment found that the house cannot care for this person")
    step.tx.run("house.leave_bed", record=step.record["id"], now=step.now)
    _take_bed(step, step.body.bed_id, reserved=True)
    today, days = local_day(step.now), rules_of(step.tx, step.caller.tenant).keep_bed_days
    step.detail["reserved_on"] = today.isoformat()
    step.record["due_at"] = None if days is None else end_of_day(today + timedelta(days=days))


def sign(step: Step) -> None:
    """In force until its last day."""
    if step.body.agreed_until < local_day(step.now):
        raise BadInput("agreed_until lies in the past")


def begin_trial(step: Step) -> None:
    """The bed becomes the person's; the trial is due on its last day, which the agreement covers."""
    if not local_day(step.now) <= step.body.until <= date.fromisoformat(step.detail["agreed_until"]):
        raise BadInput("the trial ends today or later, and within the agreement")
    _move_in(step)
    step.record["due_at"] = end_of_day(step.body.until)


def admit(step: Step) -> None:
    """After a trial the person has the bed already."""
    if step.was == "signed":
        _move_in(step)


def transfer(step: Step) -> None:
    """The old bed is free at the moment in which the new one is taken; who had to give it away gets one again."""
    present = step.tx.first("house.current_use", record=step.record["id"])
    if present is not None and present["bed_id"] == step.body.bed_id:
        raise BadInput("that is the bed that the person has")
    step.tx.run("house.leave_bed", record=step.record["id"], now=step.now)
    _take_bed(step, step.body.bed_id, reserved=False)
    _write_place(step)


def discharge(step: Step) -> None:
    """The bed is free, devices and alerts are nobody's business any more."""
    _end(step, "discharged")


def record_death(step: Step) -> None:
    """As a discharge; and who may still read is as the person wished."""
    if step.body.died_at > step.now:
        raise BadInput("died_at lies in the future")
    _end(step, "deceased")
    ended = close_sight(step.tx, step.now, step.record["resident_id"])
    step.told["consents_ended"] = ended


def give_up(step: Step) -> None:
    """A bed that was kept is free again."""
    step.tx.run("house.leave_bed", record=step.record["id"], now=step.now)


def free_bed(step: Step) -> None:
    """Somebody else can have it; the stay, or the application, goes on."""
    if not step.tx.run("house.leave_bed", record=step.record["id"], now=step.now):
        raise Conflict("this person has no bed")
    step.detail["bed_freed_on"] = local_day(step.now).isoformat()
    step.detail.update(bed_id=None, bed="")


def _take_bed(step: Step, bed: UUID, *, reserved: bool) -> None:
    row = step.tx.first("house.lock_bed", id=bed)
    if row is None:
        raise BadInput("there is no such bed")
    if row["closed_at"] is not None:
        raise Conflict("this bed is out of service")
    given = step.tx.first(
        "house.use_bed", id=new_id(step.clock), tenant=step.caller.tenant, bed=bed, key=row["key"],
        resident=step.record["resident_id"], record=step.record["id"], reserved=reserved, now=step.now,
    )  # fmt: skip
    if given is None:
        raise Conflict("somebody has this bed, or this person has another one")
    step.detail["bed_id"] = str(bed)
    step.detail.pop("bed_freed_on", None)
    step.detail["bed"] = _bed_text(step.tx.one("house.place_of_bed", id=bed))


def _bed_text(place: dict[str, Any]) -> str:
    return " ".join(filter(None, (place["building"], place["floor"], place["room"], place["label"])))


def _move_in(step: Step) -> None:
    step.tx.run("house.leave_bed", record=step.record["id"], now=step.now)
    _take_bed(step, UUID(step.detail["bed_id"]), reserved=False)
    step.detail["admitted_on"] = local_day(step.now).isoformat()
    _write_place(step)


def _write_place(step: Step) -> None:
    place = step.tx.one("house.place_of_bed", id=UUID(step.detail["bed_id"]))
    at_home = place["type"] == "home"
    where = {name: None if at_home else place[name] for name in ("building", "floor", "room")}
    step.tx.run("stays.moved_in", resident=step.record["resident_id"], now=step.now, **where)


def _end(step: Step, how: Gone) -> None:
    resident, caller = step.record["resident_id"], step.caller
    step.tx.one("residents.lock", resident=resident)
    step.tx.run("house.leave_bed", record=step.record["id"], now=step.now)
    left = leave(step.tx, step.clock, Actor(step.by, caller.name, caller.role.value), resident, how)
    step.tx.run("stays.gone", resident=resident, status=how, now=step.now)
    step.detail["left_on"] = local_day(step.now).isoformat()
    step.told |= {"devices_unbound": left.devices, "alerts_ended": left.alerts}


STAY: Final = RecordKind(
    service=HOUSE,
    machine=machine(
        "stay 入住 Stay",
        "applied 已申请 Applied, assessed 已评估 Assessed, reserved 已留床 Bed kept, signed 已签约 Signed,"
        "trial 试住中 On trial, living 在住 Living here, discharged 已退住 Moved out, deceased 已故 Died,"
        "refused 未接收 Refused, cancelled 已取消 Cancelled",
        move("assess 入住评估 Assess", "applied assessed", "assessed", STAFF, Assess, "family"),
        move("reserve 留床 Keep a bed", "assessed reserved", "reserved", STAFF, Reserve, "family"),
        move("sign 签约 Sign", "reserved", "signed", ADMIN, Sign, "family"),
        move("begin_trial 开始试住 Begin the trial", "signed", "trial", STAFF, Trial, "family"),
        move("admit 入住 Move in", "signed trial", "living", STAFF, Note, "family"),
        move("transfer 调床 Move to another bed", "trial living", SAME, STAFF, Transfer, "family staff"),
        move("free_bed 释放床位 Give the bed away", "trial living", SAME, ADMIN, Reason, "family staff"),
        move("lapse 留床到期 Keep it no longer", "reserved", "assessed", STAFF, Reason, "family staff"),
        move("renew 续签 Renew", "trial living", SAME, ADMIN, Renew, "family"),
        move("discharge 退住 Move out", "trial living", "discharged", ADMIN, Discharge, "family staff"),
        # Nobody learns of a death from a notice: family is told by a person.
        move("record_death 身故登记 Died", "trial living", "deceased", STAFF, Death, "staff"),
        move("refuse 不接收 Refuse", "applied assessed", "refused", STAFF, Reason, "family"),
        move("cancel 取消 Cancel", "applied assessed reserved signed", "cancelled", STAFF, Reason, "family staff"),
        due="reserved signed trial",
    ),
    path="stays",
    create=StayIn,
    creators=STAFF,
    readers=STAFF | FAMILY,
    detail=StayDetail,
    hidden_from_family=frozenset(
        {"findings", "risks", "suitable", "not_suitable", "cause", "after_death", "bed_id", "consents_ended"}
    ),
    rules={
        "create": apply, "assess": assess, "reserve": reserve, "sign": sign, "begin_trial": begin_trial,
        "admit": admit, "transfer": transfer, "renew": sign, "discharge": discharge, "record_death": record_death,
        "free_bed": free_bed, "lapse": free_bed,
        "refuse": give_up, "cancel": give_up,
    },
)  # fmt: skip
