"""Bodies of the door for vendors' clouds."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints

from api.schemas import Input
from core.ids import DEVICE_PATTERN

MESSAGES_MAX = 500
IdempotencyKey = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,120}$")]


class VendorMessage(Input):
    """One message, as the device itself would publish it by MQTT."""

    device: str = Field(pattern=f"^{DEVICE_PATTERN}$", examples=["wb-0001"])
    channel: Literal["telemetry", "event", "status", "motion"] = Field(examples=["telemetry"])
    payload: dict[str, Any] | list[Any] = Field(
        description="as the MQTT contract has it; a list is a SenML pack", examples=[{"m": {"heart_rate": 72}}]
    )


class VendorBatch(Input):
    """Up to 500 messages, stored together."""

    messages: list[VendorMessage] = Field(min_length=1, max_length=MESSAGES_MAX)


class Taken(BaseModel):
    """What was taken in; each message is checked afterwards, and refused ones are listed under /rejections."""

    messages: int = Field(examples=[1])
    duplicate: bool = Field(description="the same request had been taken in before; nothing was added")
