"""Orders for meals, baths, housework and care visits: what may be asked for enters, the kind of record leaves."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from api.services.engine import orders
from api.services.engine.kind import Note, RecordIn, RecordKind, Step
from core.errors import BadInput

Care = Literal["meal", "bath", "housework", "care_visit"]


class OrderIn(RecordIn, Note):
    """What is wished for, and when."""

    care: Care = Field(examples=["meal"])


class OrderDetail(orders.OrderDetail):
    """An order of daily-living care."""

    care: Care


def create(step: Step) -> None:
    """A visit needs its time."""
    if step.record["starts_at"] is None or step.record["ends_at"] is None:
        raise BadInput("starts_at and ends_at are needed")
    step.record["due_at"] = step.record["starts_at"]


def reschedule(step: Step) -> None:
    """The new time is the new due time."""
    step.record["due_at"] = step.record["starts_at"]


ORDER: Final = RecordKind(
    service="daily-living",
    machine=orders.order_machine("order 服务单 Service order"),
    path="orders",
    create=OrderIn,
    creators=orders.ASKERS,
    readers=orders.READERS,
    detail=OrderDetail,
    rules={**orders.RULES, "create": create, "reschedule": reschedule},
)
KINDS: Final = (ORDER,)
