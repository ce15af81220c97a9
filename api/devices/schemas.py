"""Bodies about devices."""

from __future__ import annotations

import json
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, model_validator

from api.paging import Page
from api.schemas import Input, Instant, Names, ShortText
from core.ids import DEVICE_PATTERN
from core.vocabulary import DEVICE_KINDS

DeviceKind = StrEnum("DeviceKind", {kind.upper(): kind for kind in DEVICE_KINDS})  # type: ignore[misc]  # members come from data
CommandType = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
_ARGS_BYTES_MAX = 8 * 1024


def _bounded_args(args: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps(args)
    if len(text) > _ARGS_BYTES_MAX:
        raise ValueError(f"must have {_ARGS_BYTES_MAX} bytes at most")
    if "\\u0000" in text:
        raise ValueError("must not contain the NUL character")
    return args


class DeviceCreate(Input):
    """A new device."""

    id: str = Field(pattern=f"^{DEVICE_PATTERN}$", examples=["wb-0001"])
    kind: DeviceKind = Field(examples=["wristband"])
    model: ShortText = Field(default="", examples=["W1"])
    name: ShortText = Field(default="", examples=["王秀英的手环"])
    supervision_seconds: int | None = Field(
        default=None, ge=30, le=604_800, description="silent after this long without a word; by kind unless given"
    )
    position: Literal["", "wrist", "waist"] = Field(default="", description="where an accelerometer is worn")


class Credentials(BaseModel):
    """The device's account at the broker. The password is shown this once and not kept."""

    username: str = Field(examples=["demo.wb-0001"])
    password: str = Field(examples=["kB3w…"])


class Device(BaseModel):
    """A device, whom it serves, and whether it is heard."""

    id: str = Field(examples=["wb-0001"])
    kind: str = Field(examples=["wristband"])
    kind_name: Names
    model: str
    name: str
    supervision_seconds: int = Field(examples=[900])
    position: str
    resident_id: UUID | None
    room: str
    bound_from: datetime | None
    online: bool
    silent: bool = Field(description="bound, and not heard for longer than supervision_seconds")
    last_seen: datetime | None
    created_at: datetime
    credential_rotated_at: datetime
    retired_at: datetime | None


class DeviceCreated(Device):
    """A device just registered, with its account."""

    credentials: Credentials


class DevicePage(Page[Device]):
    """Devices in the order of their registration."""


class BindRequest(Input):
    """Whom or which room the device serves from now on (or from `at`)."""

    resident_id: UUID | None = None
    room: ShortText = Field(default="", examples=[""])
    at: Instant | None = None

    @model_validator(mode="after")
    def _one_target(self) -> BindRequest:
        if (self.resident_id is None) == (not self.room):
            raise ValueError("give a resident_id or a room, and not both")
        return self


class UnbindRequest(Input):
    """When the binding ends; now unless given."""

    at: Instant | None = None


class CommandRequest(Input):
    """Something that the device is to do."""

    type: CommandType = Field(examples=["locate"])
    args: Annotated[dict[str, Any], AfterValidator(_bounded_args)] = Field(default_factory=dict, examples=[{}])
    expires_in_seconds: int = Field(default=300, ge=1, le=604_800)


class DeviceCommand(BaseModel):
    """A command and how far it has come."""

    id: UUID
    type: str = Field(examples=["locate"])
    args: dict[str, Any]
    state: Literal["requested", "sent", "acknowledged", "failed", "expired"]
    requested_at: datetime
    expires_at: datetime
    sent_at: datetime | None
    answered_at: datetime | None
    result: dict[str, Any] | None


class CommandPage(Page[DeviceCommand]):
    """Commands of a device, newest first."""


class MetricHealth(BaseModel):
    """One sensor: when it last measured, and how long it may be quiet. A device that speaks proves no sensor."""

    metric: str = Field(examples=["heart_rate"])
    last_sample: datetime | None
    last_received: datetime | None
    expected_seconds: int | None = Field(description="its usual step; null where it speaks on change", examples=[60])
    supervision_seconds: int | None = Field(description="silent after this long; null where it is not watched")
    state: Literal["ok", "silent", "never", "unwatched"]


class DeviceModel(BaseModel):
    """What the platform knows of this make; that of its kind where the model is not known."""

    code: str = Field(examples=["aqara-climate"])
    name: Names
    mains: bool


class BatteryHealth(BaseModel):
    """A battery against the limits of its model."""

    chemistry: str = Field(examples=["lithium_coin"])
    level: float | None = Field(description="%", examples=[83])
    measured_at: datetime | None
    low: float = Field(description="%", examples=[20])
    critical: float = Field(description="%", examples=[10])
    state: Literal["ok", "low", "critical", "unknown"] = Field(description="unknown: no level that is recent enough")
    days_left: float | None = Field(description="at its mean pace since the last charge", examples=[41.5])


class DeviceHealth(BaseModel):
    """Whether a device lives and is heard."""

    id: str = Field(examples=["wb-0001"])
    online: bool
    silent: bool
    last_seen: datetime | None
    last_sample: datetime | None
    battery: float | None = Field(description="%", examples=[83])
    rssi: float | None = Field(description="dBm", examples=[-67])
    firmware: str | None = Field(examples=["1.4.2"])
    supervision_seconds: int
    model: DeviceModel
    power: BatteryHealth | None = Field(description="null for a device on the mains")
    metrics: list[MetricHealth]
    gateway: str | None = Field(description="through which it speaks", examples=["gw-01"])
    children: list[str] = Field(description="what speaks through it")


class Rejection(BaseModel):
    """A message that could not be used, with the reason."""

    id: int
    site: str | None
    device: str | None
    topic: str = Field(examples=["anhu/v1/demo/wb-0001/telemetry"])
    reason: str = Field(examples=["not_json"])
    detail: str
    received: datetime
    payload: str = Field(description="the first bytes of the message")
    payload_encoding: Literal["text", "base64"]
    clipped: bool = Field(description="the message was longer than what is kept; it cannot be tried again")
    replayed_at: datetime | None = Field(description="when it was tried again; what failed again is a new rejection")


class ReplayIn(Input):
    """Which refused messages to try again: those that fit everything given."""

    ids: list[Annotated[int, Field(ge=1, lt=2**63)]] | None = Field(default=None, min_length=1, max_length=500)
    device: str | None = Field(default=None, max_length=64, examples=["wb-0001"])
    reason: str | None = Field(default=None, max_length=64, examples=["unknown_device"])
    events: bool = Field(default=False, description="also events: an old press opens an alert")


class Replayed(BaseModel):
    """What is on its way through the checks once more."""

    replayed: int = Field(examples=[12])


class RejectionPage(Page[Rejection]):
    """Refused messages, newest first."""
