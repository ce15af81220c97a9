"""Complaints: a grievance enters; taken up, looked into and answered in time, open to appeal, it leaves.

Family sees its own complaints and nobody else's. Who answered does not decide the appeal. The regulator sees counts.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from api.schemas import Input, Phone, ShortText, Storable
from api.services.engine.kind import HOUSE, Note, Reason, RecordKind, Step, Text
from api.services.engine.machine import ADMIN, FAMILY, STAFF, machine, move
from core.errors import BadInput, Forbidden

ACCEPT_HOURS: Final = 24
ANSWER_DAYS: Final = 15
APPEAL_DAYS: Final = 10
"""How fast a complaint is taken up and answered, how long an answer can be appealed: own aims, no standard."""
Words = Annotated[str, Field(max_length=4000), Storable]


class ComplaintIn(Input):
    """What somebody complains about."""

    title: Annotated[str, Field(min_length=1, max_length=200), Storable] = Field(examples=["助浴迟到一小时"])
    text: Text = Field(examples=["约定九点，十点才到，未提前告知"])
    topic: Literal["care", "food", "money", "safety", "manners", "provider", "privacy", "other"] = Field(
        examples=["provider"]
    )
    resident_id: UUID | None = None
    order_id: UUID | None = Field(default=None, description="the order, visit or delivery that it is about")
    caller: ShortText = Field(default="", description="who complains by telephone", examples=["赵女士"])
    phone: Phone = ""


class Findings(Input):
    """What was found, and what is done about it."""

    answer: Text = Field(examples=["情况属实，已道歉并退还费用"])
    upheld: bool = Field(description="whether the complaint was justified", examples=[True])
    measures: Words = ""


class Satisfied(Input):
    """How the answer was received."""

    stars: int = Field(ge=1, le=5, examples=[4])
    words: Annotated[str, Field(max_length=1000), Storable] = ""


class ComplaintDetail(BaseModel):
    """A complaint."""

    text: str
    topic: str
    order_id: UUID | None = None
    caller: str = ""
    phone: str = ""
    answer: str = ""
    upheld: bool | None = None
    measures: str = ""
    answered_at: datetime | None = None
    answered_by: UUID | None = None
    in_time: bool | None = Field(default=None, description="the first answer came in time")
    answer_due: datetime | None = None
    stars: int | None = None
    words: str = ""
    appeals: int = 0
    reason: str = ""


def complain(step: Step) -> None:
    """About an order that the complainant knows of, or about the house."""
    order = step.body.order_id
    if order is not None:
        found = step.tx.first("complaints.order", id=order, resident=step.record["resident_id"])
        if found is None:
            raise BadInput("there is no such order of this resident")
        step.record["provider_id"], step.record["worker_id"] = found["provider_id"], found["worker_id"]
    step.record["due_at"] = step.now + timedelta(hours=ACCEPT_HOURS)
    step.detail["answer_due"] = (step.now + timedelta(days=ANSWER_DAYS)).isoformat()


def accept(step: Step) -> None:
    """The clock of the answer runs since the complaint was raised."""
    step.record["due_at"] = datetime.fromisoformat(step.detail["answer_due"])


def appeal(step: Step) -> None:
    """Looked into anew, in the same time again."""
    step.detail["appeals"] = step.detail.get("appeals", 0) + 1
    step.record["due_at"] = step.now + timedelta(days=ANSWER_DAYS)


def answer(step: Step) -> None:
    """Nobody decides about the appeal against their own answer, nor about themselves."""
    if step.detail.get("appeals") and step.detail.get("answered_by") == str(step.caller.id):
        raise Forbidden("who answered does not decide the appeal")
    worker = step.record["worker_id"]
    if worker is not None and step.tx.first("complaints.is_worker", worker=worker, user=step.caller.id):
        raise Forbidden("whom a complaint is about does not answer it")
    if "in_time" not in step.detail:
        step.detail["in_time"] = step.now <= datetime.fromisoformat(step.detail["answer_due"])
    step.detail["answered_at"], step.detail["answered_by"] = step.now.isoformat(), str(step.caller.id)
    step.record["due_at"] = step.now + timedelta(days=APPEAL_DAYS)


COMPLAINT: Final = RecordKind(
    service=HOUSE,
    machine=machine(
        "complaint 投诉 Complaint",
        "raised 已提交 Raised, accepted 已受理 Taken up, investigating 调查中 Looked into, answered 已答复 Answered,"
        "appealed 申诉中 Appealed, closed 已办结 Closed, rejected 不予受理 Not taken up, withdrawn 已撤回 Withdrawn",
        move("accept 受理 Take up", "raised", "accepted", ADMIN, Note, "creator"),
        move("reject 不予受理 Not take up", "raised", "rejected", ADMIN, Reason, "creator"),
        move("investigate 调查 Look into", "accepted appealed", "investigating", ADMIN, Note, "creator"),
        move("answer 答复 Answer", "investigating", "answered", ADMIN, Findings, "creator"),
        move("satisfy 认可 Content", "answered", "closed", STAFF | FAMILY, Satisfied, "staff"),
        move("appeal 申诉 Appeal", "answered", "appealed", STAFF | FAMILY, Reason, "staff"),
        move("lapse 逾期办结 Not appealed", "answered", "closed", ADMIN, Note, "creator"),
        move("withdraw 撤回 Withdraw", "raised accepted investigating appealed", "withdrawn", STAFF | FAMILY, Reason,
             "staff"),
        due="raised accepted investigating answered appealed",
    ),
    path="complaints",
    create=ComplaintIn,
    creators=STAFF | FAMILY,
    readers=ADMIN | FAMILY,
    detail=ComplaintDetail,
    private=True,
    hidden_from_family=frozenset({"answered_by"}),
    timeouts={"answered": "lapse"},
    rules={
        "create": complain, "accept": accept, "appeal": appeal, "answer": answer,
    },
)  # fmt: skip
