"""Enquiries, articles, and what the institution publishes of itself: declared words enter, kinds of record leave."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from api.schemas import Input, Name, ShortText, Storable
from api.services.engine.kind import Note, Reason, RecordKind, Step, Text
from api.services.engine.machine import ADMIN, FAMILY, SAME, STAFF, machine, move
from core.days import end_of_day
from core.errors import BadInput
from core.vocabulary import Role

Body = Annotated[str, Field(min_length=1, max_length=20_000), Storable]
ASKERS: Final = STAFF | FAMILY
ANSWER_HOURS: Final = 48
"""Within how long an enquiry should be answered: this platform's own aim, no standard."""


class EnquiryIn(Input):
    """A question of a family member or a caller."""

    title: Name = Field(examples=["护理型床位是否有空"])
    question: Text = Field(examples=["母亲中度失能，想咨询护理型床位和价格"])
    topic: Literal["beds", "prices", "subsidies", "services", "complaint", "other"] = Field(examples=["beds"])
    resident_id: UUID | None = None
    caller: ShortText = Field(default="", description="who asks by telephone", examples=["王女士"])
    phone: Annotated[str, Field(max_length=32, pattern=r"^[0-9+() -]*$")] = ""
    visit_on: date | None = Field(default=None, description="wishes to see the house on this day")


class Forward(Input):
    """To whom the question is passed on."""

    department: ShortText = Field(examples=["入住接待"])


class Answer(Input):
    """The answer."""

    answer: Text


class Satisfied(Input):
    """What the call back found."""

    satisfied: bool
    words: Annotated[str, Field(max_length=1000), Storable] = ""


class EnquiryDetail(BaseModel):
    """An enquiry."""

    question: str
    topic: str
    caller: str = ""
    phone: str = ""
    visit_on: date | None = None
    department: str = ""
    answer: str = ""
    answered_at: datetime | None = None
    satisfied: bool | None = None
    words: str = ""
    note: str = ""


def ask(step: Step) -> None:
    """The clock for the answer starts."""
    step.record["due_at"] = step.now + timedelta(hours=ANSWER_HOURS)


def answer(step: Step) -> None:
    """The clock stops."""
    step.detail["answered_at"] = step.now.isoformat()


ENQUIRY: Final = RecordKind(
    service="information",
    machine=machine(
        "enquiry 咨询 Enquiry",
        "received 已受理 Received, forwarded 已转办 Forwarded, answered 已答复 Answered,"
        "followed_up 已回访 Followed up, closed 已关闭 Closed",
        move("forward 转办 Forward", "received forwarded", "forwarded", STAFF, Forward),
        move("answer 答复 Answer", "received forwarded answered", "answered", STAFF, Answer, "creator"),
        move("ask_again 追问 Ask again", "answered", "received", ASKERS, Reason, "staff"),
        move("follow_up 回访 Follow up", "answered", "followed_up", STAFF, Satisfied),
        move("close 关闭 Close", "received forwarded answered followed_up", "closed", STAFF, Note, "creator"),
        due="received forwarded",
    ),
    path="enquiries",
    create=EnquiryIn,
    creators=ASKERS,
    readers=ASKERS,
    detail=EnquiryDetail,
    own=True,
    rules={"create": ask, "ask_again": ask, "answer": answer},
)


class ArticleIn(Input):
    """A policy or a notice, as a draft."""

    title: Name = Field(examples=["高龄津贴免申即享"])
    text: Body
    topic: Literal["policy", "notice", "price", "activity"] = Field(examples=["policy"])
    valid_from: date | None = None
    valid_until: date | None = None


class Edit(Input):
    """The text anew."""

    title: Name
    text: Body
    valid_until: date | None = None


class ArticleDetail(BaseModel):
    """An article with its term; every published text stays in the history."""

    text: str
    topic: str
    valid_from: date | None = None
    valid_until: date | None = None
    edition: int = 1
    note: str = ""
    reason: str = ""


def term(step: Step) -> None:
    """Not over before it begins; due for withdrawal on its last day."""
    begin, end = step.detail.get("valid_from"), step.detail.get("valid_until")
    if begin and end and end < begin:
        raise BadInput("valid_until lies before valid_from")
    step.record["due_at"] = end_of_day(date.fromisoformat(end)) if end else None


def edit(step: Step) -> None:
    """The next edition."""
    term(step)
    step.detail["edition"] = step.detail.get("edition", 1) + 1


ARTICLE: Final = RecordKind(
    service="information",
    machine=machine(
        "article 政策与公告 Article",
        "draft 草稿 Draft, review 审核中 In review, published 已发布 Published, withdrawn 已下架 Withdrawn,"
        "expired 已过期 Expired, archived 已归档 Archived",
        move("edit 修改 Edit", "draft withdrawn expired", "draft", STAFF, Edit),
        move("submit 送审 Submit", "draft", "review", STAFF, Note),
        move("return_to_author 退回 Return", "review", "draft", ADMIN, Reason, "creator"),
        move("publish 发布 Publish", "review", "published", ADMIN, Note),
        move("withdraw 下架 Withdraw", "published", "withdrawn", ADMIN, Reason),
        move("expire 过期 Expire", "published", "expired", STAFF, Note),
        move("archive 归档 Archive", "withdrawn expired", "archived", ADMIN, Note),
        due="published",
    ),
    path="articles",
    create=ArticleIn,
    creators=STAFF,
    readers=STAFF | FAMILY | {Role.PROVIDER},
    detail=ArticleDetail,
    public_states=frozenset({"published"}),
    timeouts={"published": "expire"},
    rules={"create": term, "edit": edit, "publish": term},
)


class FacilityIn(Input):
    """What the institution publishes of itself."""

    title: Name = Field(examples=["高新区综合养老服务中心"])
    facility_type: Literal["institution", "centre", "station", "mutual_aid"] = Field(examples=["institution"])
    rural: bool = False
    run_by: Literal["government", "society"] = Field(description="who runs it", examples=["society"])
    street: ShortText = Field(examples=["白市驿镇"])
    community: ShortText = ""
    comprehensive: bool = Field(default=False, description="offers the whole range to its street")
    beds: int = Field(ge=0, le=10_000)
    nursing_beds: int = Field(ge=0, le=10_000)
    care_licence: bool = Field(default=False, description="filed as an institution of care")
    medical_licence: bool = False
    grade: int | None = Field(default=None, ge=1, le=5, description="grade of the institution, 1 to 5")
    price_from: Annotated[int, Field(ge=0, le=1_000_000)] | None = Field(default=None, description="yuan a month")
    introduction: Annotated[str, Field(max_length=4000), Storable] = ""


class FacilityDetail(BaseModel):
    """A facility, as the map and the indicators need it."""

    facility_type: str
    rural: bool = False
    run_by: str
    street: str
    community: str = ""
    comprehensive: bool = False
    beds: int
    nursing_beds: int
    care_licence: bool = False
    medical_licence: bool = False
    grade: int | None = None
    price_from: int | None = None
    introduction: str = ""
    quality: Literal["none", "basic", "full"] = Field(default="none", description="which inspection was passed")
    note: str = ""
    reason: str = ""


class Inspect(Input):
    """What the inspection of quality found."""

    quality: Literal["none", "basic", "full"]
    words: Annotated[str, Field(max_length=1000), Storable] = ""


def check_beds(step: Step) -> None:
    """Nursing beds are among the beds."""
    if step.detail["nursing_beds"] > step.detail["beds"]:
        raise BadInput("there are more nursing beds than beds")


FACILITY: Final = RecordKind(
    service="information",
    machine=machine(
        "facility 养老机构 Facility",
        "registered 已登记 Registered, filed 已备案 Filed, operating 在营 Operating, suspended 停业 Suspended,"
        "closed 已注销 Closed",
        move("revise 变更 Revise", "registered filed operating suspended", SAME, ADMIN, FacilityIn),
        move("file 备案 File", "registered", "filed", ADMIN, Note),
        move("open 开业 Open", "filed suspended", "operating", ADMIN, Note),
        move("inspect 质量检查 Inspect", "operating", SAME, ADMIN, Inspect),
        move("suspend 停业 Suspend", "operating", "suspended", ADMIN, Reason, "family"),
        move("close 注销 Close", "registered filed suspended", "closed", ADMIN, Reason),
    ),
    path="facilities",
    create=FacilityIn,
    creators=ADMIN,
    readers=STAFF | FAMILY | {Role.PROVIDER},
    detail=FacilityDetail,
    public_states=frozenset({"operating", "suspended"}),
    rules={"create": check_beds, "revise": check_beds},
)
KINDS: Final = (ENQUIRY, ARTICLE, FACILITY)
