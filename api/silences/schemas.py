"""Bodies about silences and suppressions."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints, model_validator

from api.paging import Page
from api.schemas import Input, Instant, Names, ShortText, Storable
from core.ids import DEVICE_PATTERN
from core.vocabulary import ALERT_TYPES, EMERGENCY_TYPES

AlertType = StrEnum("AlertType", {code.upper(): code for code in ALERT_TYPES})  # type: ignore[misc]  # members come from data
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500), Storable]
SECONDS_MAX = 30 * 86_400


class SilenceIn(Input):
    """What is to be held back, why and until when. What is left out matches everything of the institution."""

    reason: Reason = Field(examples=["三楼网络检修 network works on the third floor"])
    ends_at: Instant = Field(description="it ends by itself then; at most 30 days ahead")
    starts_at: Instant | None = Field(default=None, description="now unless given")
    building: ShortText = Field(default="", examples=[""])
    floor: ShortText = Field(default="", examples=["3"])
    room: ShortText = Field(default="", examples=[""])
    device_id: str | None = Field(default=None, pattern=f"^{DEVICE_PATTERN}$", examples=[None])
    resident_id: UUID | None = Field(default=None, examples=[None])
    alert_types: list[AlertType] | None = Field(
        default=None,
        min_length=1,
        max_length=50,
        description="without types only technical alerts are meant; emergencies can never be named",
        examples=[["device_silent", "gateway_down"]],
    )

    @model_validator(mode="after")
    def _no_emergency(self) -> Self:
        named = sorted(EMERGENCY_TYPES & {one.value for one in self.alert_types or ()})
        if named:
            raise ValueError(f"an emergency is never silenced: {', '.join(named)}")
        return self

    def check_times(self, now: datetime) -> datetime:
        """When it begins. Raises ValueError for an end that has passed or lies too far ahead."""
        start = max(self.starts_at or now, now)
        longest = timedelta(seconds=SECONDS_MAX)
        if self.ends_at <= start:
            raise ValueError("it would have ended before it begins")
        if self.ends_at - now > longest:
            raise ValueError(f"it may last until {(now + longest).isoformat(timespec='minutes')} at most")
        return start


class Silence(BaseModel):
    """A silence with its author, and how much it has held back."""

    id: UUID
    state: Literal["planned", "active", "ended"]
    reason: str
    author: str = Field(examples=["李护士长"])
    building: str
    floor: str
    room: str
    device_id: str | None
    resident_id: UUID | None
    alert_types: list[str] | None
    starts_at: datetime
    ends_at: datetime
    ended_at: datetime | None = Field(description="when somebody ended it before its time")
    ended_by: str | None
    created_at: datetime
    suppressed: int = Field(description="findings held back so far", examples=[3])


class SilencePage(Page[Silence]):
    """Silences, newest first."""


class Suppression(BaseModel):
    """One finding that opened no alert, and what held it back."""

    id: int = Field(examples=[81])
    at: datetime
    cause: Literal["silence", "inhibition", "away"]
    silence_id: UUID | None
    by_alert_id: UUID | None = Field(description="the alert that explains it")
    reason: str
    type: str = Field(examples=["device_silent"])
    type_name: Names
    severity: str = Field(examples=["medium"])
    source: str = Field(examples=["detector"])
    resident_id: UUID | None
    device_id: str | None = Field(examples=["door-0001"])
    place: str
    occurred_at: datetime
    cleared_at: datetime | None = Field(description="the condition ended while it was held back")
    released_at: datetime | None = Field(description="it still held when its cause was over, and was raised then")


class SuppressionPage(Page[Suppression]):
    """What was held back, newest first."""
