"""Beds at home, adaptation of homes, respite nights: declared words enter, the kinds of record leave."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from api.schemas import DeviceCode, Input, Instant, Name, Storable
from api.services.engine import orders
from api.services.engine.kind import Money, Note, Plan, Reason, RecordIn, RecordKind, Step
from api.services.engine.machine import ADMIN, FAMILY, PROVIDER, SAME, STAFF, machine, move
from core.days import end_of_day, local_day
from core.errors import BadInput, Conflict

Words = Annotated[str, Field(max_length=2000), Storable]
WARRANTY_DAYS_MIN: Final = 365
"""At least twelve months, as the home-care-bed pilots ask."""
ASKERS: Final = STAFF | FAMILY
DOERS: Final = STAFF | PROVIDER


class Survey(Input):
    """What was found in the home."""

    findings: Words = Field(examples=["卫生间无扶手，门槛 4 厘米"])
    suitable: bool = Field(description="whether it can be done here", examples=[True])


class SignBed(Input):
    """The contract for a bed at home."""

    agreed_by: Name = Field(examples=["王芳（女儿）"])
    valid_until: date
    monthly_fee: Money
    response_minutes: int = Field(default=15, ge=5, le=120, description="how fast somebody comes when called")


class Devices(Input):
    """The devices that were installed; each must be registered, and is bound to the resident."""

    devices: list[DeviceCode] = Field(min_length=1, max_length=50, examples=[["sos-203", "smoke-203"]])


class BedDetail(BaseModel):
    """A care bed at home."""

    note: str = ""
    findings: str = ""
    suitable: bool | None = None
    agreed_by: str = ""
    valid_until: date | None = None
    monthly_fee: Decimal | None = None
    response_minutes: int | None = None
    devices: list[str] = []
    reason: str = ""


def check_suitable(step: Step) -> None:
    """A home where it cannot be done is not contracted."""
    if step.detail.get("suitable") is False:
        raise Conflict("the survey found the home not suitable")


def sign_bed(step: Step) -> None:
    """In force until its last day."""
    check_suitable(step)
    if step.body.valid_until < local_day(step.now):
        raise BadInput("valid_until lies in the past")
    step.record["due_at"] = end_of_day(step.body.valid_until)


def bind_devices(step: Step) -> None:
    """Registered and bound to this resident already: binding is done, and audited, where devices are kept."""
    bound = step.tx.all(
        "homes.bound_devices", resident=step.record["resident_id"], devices=step.body.devices, now=step.now
    )
    missing = sorted(set(step.body.devices) - {row["id"] for row in bound})
    if missing:
        raise BadInput(f"not bound to this resident: {', '.join(missing)}; bind them first")


BED: Final = RecordKind(
    service="home-care",
    machine=machine(
        "bed 家庭照护床位 Home care bed",
        "requested 已申请 Requested, assessed 已评估 Assessed, signed 已签约 Signed, installed 已建床 Installed,"
        "serving 服务中 In service, paused 已暂停 Paused, removed 已撤床 Removed",
        move("survey 上门评估 Survey", "requested assessed", "assessed", STAFF, Survey, "family"),
        move("sign 签约 Sign", "assessed", "signed", STAFF, SignBed, "family"),
        move("install 建床 Install", "signed", "installed", STAFF, Devices, "family"),
        move("start 开始服务 Start", "installed paused", "serving", STAFF, Note, "family"),
        move("pause 暂停 Pause", "serving", "paused", ASKERS, Reason, "family staff"),
        move("remove 撤床 Remove", "requested assessed signed installed serving paused", "removed", STAFF, Reason,
             "family"),
        due="signed installed serving paused",
    ),
    path="beds",
    create=RecordIn,
    creators=ASKERS,
    readers=orders.READERS,
    detail=BedDetail,
    rules={"sign": sign_bed, "install": bind_devices},
)  # fmt: skip


class AdaptationIn(RecordIn):
    """Who asks for their home to be adapted."""

    hardship: Literal["none", "very_old", "disabled", "impaired"] = Field(
        description="the group whose homes the plan wants adapted, all of them", examples=["impaired"]
    )
    wishes: Words = Field(default="", examples=["卫生间扶手、防滑"])


class Design(Input):
    """What will be built, by whom, for how much."""

    measures: list[Annotated[str, Field(max_length=200), Storable]] = Field(
        min_length=1, max_length=50, examples=[["卫生间扶手", "去门槛"]]
    )
    price: Money
    subsidy: Money = Decimal(0)
    agreed_by: Name
    provider_id: UUID | None = None


class Accept(Input):
    """The finished work, seen and accepted, with the devices that belong to it."""

    accepted_by: Name
    before_photos: int = Field(default=0, ge=0, le=200)
    after_photos: int = Field(ge=0, le=200, description="how many photos are in the file")
    devices: list[DeviceCode] = Field(default=[], max_length=50)
    warranty_until: date


class AdaptationDetail(BaseModel):
    """An adaptation of a home."""

    hardship: str
    wishes: str = ""
    findings: str = ""
    suitable: bool | None = None
    measures: list[str] = []
    agreed_by: str = ""
    accepted_by: str = ""
    before_photos: int = 0
    after_photos: int = 0
    devices: list[str] = []
    warranty_until: date | None = None
    note: str = ""
    reason: str = ""


def design(step: Step) -> None:
    """Within the price, and by a firm that may build."""
    check_suitable(step)
    orders.check_subsidy(step)
    if step.record["provider_id"] is not None:
        orders.check_provider(step)


def accept(step: Step) -> None:
    """At least twelve months of warranty, and the devices in place."""
    least = local_day(step.now) + timedelta(days=WARRANTY_DAYS_MIN)
    if step.body.warranty_until < least:
        raise BadInput(f"the warranty lasts at least until {least}")
    if step.body.devices:
        bind_devices(step)
    step.record["due_at"] = end_of_day(step.body.warranty_until)


ADAPTATION: Final = RecordKind(
    service="home-care",
    machine=machine(
        "adaptation 适老化改造 Home adaptation",
        "requested 已申请 Requested, assessed 已评估 Assessed, designed 已定方案 Designed, building 施工中 Building,"
        "accepted 已验收 Accepted, warranty 质保中 Under warranty, closed 已关闭 Closed",
        move("survey 上门评估 Survey", "requested assessed", "assessed", STAFF, Survey, "family"),
        move("design 定方案 Design", "assessed designed", "designed", STAFF, Design, "family provider"),
        move("build 施工 Build", "designed", "building", DOERS, Plan, "family"),
        move("accept 验收 Accept", "building", "accepted", STAFF, Accept, "family provider"),
        move("hand_over 转入质保 Hand over", "accepted", "warranty", STAFF, Note, "family"),
        move("repair 质保维修 Repair under warranty", "warranty", SAME, ASKERS, Reason, "provider staff"),
        move("close 关闭 Close", "requested assessed designed warranty", "closed", STAFF, Reason, "family"),
        due="accepted warranty",
    ),
    path="adaptations",
    create=AdaptationIn,
    creators=ASKERS,
    readers=orders.READERS,
    detail=AdaptationDetail,
    hidden_from_family=frozenset({"hardship"}),
    rules={"design": design, "accept": accept},
)


class RespiteIn(RecordIn):
    """Nights away from care for the one who cares."""

    carer: Name = Field(description="who is relieved", examples=["王芳"])
    note: Words = ""


class Approve(Input):
    """How many nights are granted."""

    nights: int = Field(ge=1, le=60)
    price: Money
    subsidy: Money = Decimal(0)


class Arrive(Input):
    """The stay begins."""

    room: Annotated[str, Field(max_length=100), Storable] = ""


class GoHome(Input):
    """The stay ends."""

    at: Instant
    words: Words = ""


class RespiteDetail(BaseModel):
    """A respite stay."""

    carer: str
    note: str = ""
    nights: int | None = None
    room: str = ""
    at: datetime | None = None
    words: str = ""
    stars: int | None = None
    reason: str = ""


def ask_respite(step: Step) -> None:
    """A stay needs its days."""
    if step.record["starts_at"] is None or step.record["ends_at"] is None:
        raise BadInput("starts_at and ends_at are needed")
    step.record["due_at"] = step.record["starts_at"]


def come(step: Step) -> None:
    """Due home at the planned end."""
    step.record["due_at"] = step.record["ends_at"]


RESPITE: Final = RecordKind(
    service="home-care",
    machine=machine(
        "respite 喘息服务 Respite",
        "requested 已申请 Requested, approved 已审核 Approved, staying 入住中 Staying, home 已返家 Back home,"
        "rated 已评价 Rated, refused 未批准 Refused, cancelled 已取消 Cancelled",
        move("approve 审核 Approve", "requested", "approved", STAFF, Approve, "family"),
        move("refuse 不批准 Refuse", "requested", "refused", STAFF, Reason, "family"),
        move("arrive 入住 Arrive", "approved", "staying", STAFF, Arrive, "family"),
        move("go_home 返家 Go home", "staying", "home", STAFF, GoHome, "family"),
        move("rate 评价 Rate", "home", "rated", ASKERS, orders.Confirm),
        move("cancel 取消 Cancel", "requested approved", "cancelled", ASKERS, Reason, "family staff"),
        due="requested approved staying",
    ),
    path="respites",
    create=RespiteIn,
    creators=ASKERS,
    readers=orders.READERS,
    detail=RespiteDetail,
    rules={"create": ask_respite, "approve": orders.check_subsidy, "arrive": come},
)


class TrainingIn(Input):
    """A training for people who care at home."""

    title: Name = Field(examples=["失能老人照护技能培训"])
    starts_at: Instant
    ends_at: Instant
    places: int = Field(ge=1, le=500)


class Hold(Input):
    """Who came."""

    attended: int = Field(ge=0, le=500)


class TrainingDetail(BaseModel):
    """A training."""

    places: int
    attended: int | None = None
    reason: str = ""


TRAINING: Final = RecordKind(
    service="home-care",
    machine=machine(
        "training 家庭照护者培训 Training of carers",
        "planned 已计划 Planned, held 已举办 Held, cancelled 已取消 Cancelled",
        move("hold 举办 Hold", "planned", "held", STAFF, Hold),
        move("cancel 取消 Cancel", "planned", "cancelled", ADMIN, Reason, "staff"),
    ),
    path="trainings",
    create=TrainingIn,
    creators=STAFF,
    readers=STAFF,
    detail=TrainingDetail,
)
KINDS: Final = (BED, ADAPTATION, RESPITE, TRAINING)
