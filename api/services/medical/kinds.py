"""Contracts with family doctors, agreements with hospitals, referrals both ways: declared words enter, kinds leave."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from api.schemas import Input, Name, ShortText, Storable
from api.services.engine import orders
from api.services.engine.kind import Note, Reason, RecordIn, RecordKind, Step, Text
from api.services.engine.machine import ADMIN, PROVIDER, SAME, STAFF, machine, move
from api.services.medical.summary import summary_of
from core.days import end_of_day, local_day
from core.errors import BadInput
from core.vocabulary import Role

HEALTH_READERS: Final = frozenset({Role.ADMIN, Role.CAREGIVER, Role.FAMILY})
Words = Annotated[str, Field(max_length=2000), Storable]


class ContractIn(RecordIn, Note):
    """A family doctor for a resident."""

    doctor: Name = Field(examples=["周医生"])
    clinic: Name = Field(examples=["白市驿镇卫生院"])
    package: ShortText = Field(default="", description="what is agreed", examples=["基础包"])


class Sign(Input):
    """Who agreed, and how long it holds."""

    agreed_by: Name = Field(description="the resident, or who may act for them", examples=["王秀英"])
    valid_until: date


class Renew(Input):
    """How long it holds now."""

    valid_until: date


class Round(Input):
    """A visit of the doctor."""

    on: date
    findings: Words = Field(examples=["血压控制平稳，继续原方案"])


class Contract(BaseModel):
    """What a contract says."""

    doctor: str
    clinic: str
    package: str = ""
    note: str = ""
    agreed_by: str = ""
    valid_until: date | None = None
    on: date | None = Field(default=None, description="the last round")
    findings: str = ""
    rounds: int = 0
    reason: str = ""


def hold(step: Step) -> None:
    """Due on its last day; an end in the past is refused."""
    until = step.body.valid_until
    if until < local_day(step.now):
        raise BadInput("valid_until lies in the past")
    step.record["due_at"] = end_of_day(until)


def count_round(step: Step) -> None:
    """A round that took place; one of the future did not."""
    if step.body.on > local_day(step.now):
        raise BadInput("the round lies in the future")
    step.detail["rounds"] = step.detail.get("rounds", 0) + 1


CONTRACT: Final = RecordKind(
    service="medical",
    machine=machine(
        "contract 家庭医生签约 Family-doctor contract",
        "unsigned 待签约 To be signed, active 生效 Active, performing 履约中 Being performed, renewed 已续签 Renewed,"
        "expired 已到期 Expired, ended 已解约 Ended",
        move("sign 签约 Sign", "unsigned", "active", STAFF, Sign, "family"),
        move("record_round 履约记录 Record a round", "active performing renewed", "performing", STAFF, Round, "family"),
        move("renew 续签 Renew", "active performing renewed expired", "renewed", STAFF, Renew, "family"),
        move("expire 到期 Expire", "active performing renewed", "expired", STAFF, Note, "family staff"),
        move("end 解约 End", "unsigned active performing renewed expired", "ended", STAFF, Reason, "family"),
        due="active performing renewed",
    ),
    path="contracts",
    create=ContractIn,
    creators=STAFF,
    readers=HEALTH_READERS,
    detail=Contract,
    scope="health",
    timeouts={"active": "expire", "performing": "expire", "renewed": "expire"},
    rules={"sign": hold, "renew": hold, "record_round": count_round},
)


class AgreementIn(Input):
    """An agreement of the institution with a hospital."""

    title: Name = Field(examples=["与高新区人民医院签约服务协议"])
    hospital: Name = Field(examples=["高新区人民医院"])
    green_channel: bool = Field(description="older people are treated first", examples=[True])


class Agreement(BaseModel):
    """What the agreement says."""

    hospital: str
    green_channel: bool
    valid_until: date | None = None
    note: str = ""
    reason: str = ""


AGREEMENT: Final = RecordKind(
    service="medical",
    machine=machine(
        "agreement 医疗合作协议 Agreement with a hospital",
        "draft 草拟 Draft, active 生效 Active, expired 已到期 Expired, ended 已终止 Ended",
        move("sign 签订 Sign", "draft", "active", ADMIN, Renew),
        move("renew 续签 Renew", "active expired", "active", ADMIN, Renew),
        move("expire 到期 Expire", "active", "expired", ADMIN, Note, "staff"),
        move("end 终止 End", "draft active expired", "ended", ADMIN, Reason),
        due="active",
    ),
    path="agreements",
    create=AgreementIn,
    creators=ADMIN,
    readers=STAFF,
    detail=Agreement,
    timeouts={"active": "expire"},
    rules={"sign": hold, "renew": hold},
)


class ReferralIn(RecordIn):
    """To a hospital, or back from one. The resident's separate consent is needed: health data leave the house."""

    direction: Literal["to_hospital", "from_hospital"] = Field(examples=["to_hospital"])
    hospital: Name = Field(examples=["高新区人民医院"])
    department: ShortText = Field(default="", examples=["心内科"])
    urgency: Literal["routine", "urgent", "emergency"] = Field(examples=["urgent"])
    green_channel: bool = False
    question: Text = Field(description="why", examples=["血压持续升高，请协助调整用药"])
    consent_by: Name = Field(description="who agreed that the summary is handed over", examples=["王秀英"])


class Give(Input):
    """The hospital as a provider, whose accounts then see the referral."""

    provider_id: UUID


class Treat(Input):
    """What the other side found and did."""

    diagnosis: Words = Field(examples=["高血压2级"])
    treatment: Words = Field(default="", examples=["加用氨氯地平 5 mg"])


class Return(Input):
    """Back home, with advice."""

    advice: Words = Field(examples=["每日测压两次，一周后复诊"])


class FollowUp(Input):
    """How it went on."""

    outcome: Words = Field(examples=["血压 138/82，平稳"])


class Referral(BaseModel):
    """A referral with the summary as it was when it was sent."""

    direction: str
    hospital: str
    department: str = ""
    urgency: str
    green_channel: bool = False
    question: str
    consent_by: str
    summary: dict[str, Any] = {}
    note: str = ""
    diagnosis: str = ""
    treatment: str = ""
    advice: str = ""
    outcome: str = ""
    reason: str = ""


def refer(step: Step) -> None:
    """Send the summary along, frozen as it is now; an emergency is due at once, the urgent within a day."""
    step.detail["summary"] = summary_of(step.tx, step.record["resident_id"], step.now)
    hours = {"emergency": 1, "urgent": 24, "routine": 7 * 24}[step.body.urgency]
    step.record["due_at"] = datetime.fromtimestamp(step.now.timestamp() + hours * 3600, tz=UTC)


PARTIES: Final = STAFF | PROVIDER
REFERRAL: Final = RecordKind(
    service="medical",
    machine=machine(
        "referral 双向转介 Referral",
        "started 已发起 Started, accepted 已接收 Accepted, treated 已就诊 Treated, returned 已回转 Returned,"
        "followed_up 已随访 Followed up, closed 已关闭 Closed, refused 已拒收 Refused",
        move("give 转交 Give to", "started", SAME, STAFF, Give, "provider"),
        move("accept 接收 Accept", "started", "accepted", PARTIES, Note, "family staff"),
        move("refuse 拒收 Refuse", "started", "refused", PARTIES, Reason, "family staff"),
        move("treat 就诊 Treat", "accepted", "treated", PARTIES, Treat, "family staff"),
        move("send_back 回转 Send back", "treated", "returned", PARTIES, Return, "family staff"),
        move("follow_up 随访 Follow up", "returned followed_up", "followed_up", STAFF, FollowUp, "family"),
        move("close 关闭 Close", "treated returned followed_up", "closed", STAFF, Note),
        due="started accepted",
    ),
    path="referrals",
    create=ReferralIn,
    creators=STAFF,
    readers=frozenset({Role.ADMIN, Role.CAREGIVER, Role.FAMILY, Role.PROVIDER}),
    detail=Referral,
    scope="health",
    rules={"create": refer, "give": orders.check_provider},
)
KINDS: Final = (CONTRACT, AGREEMENT, REFERRAL)
