"""What the routes of the rota take and give."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints, field_validator, model_validator

from api.paging import Page
from api.schemas import Input, Instant, LongText, ShortText, Storable

Floor = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20, pattern=r"^[^,]+$"), Storable
]
Floors = Annotated[
    list[Floor], Field(max_length=100, description="为空则全部楼层 · empty for all floors", examples=[["2"]])
]


class ShiftBody(Input):
    """A shift in wall time: it begins when the clocks of its zone show so, on every day of the year."""

    user_id: UUID
    title: ShortText = Field(default="", examples=["夜班"])
    starts_on: date = Field(examples=["2026-01-01"])
    start_time: time = Field(examples=["22:00"])
    end_time: time = Field(examples=["06:00"])
    end_day: int | None = Field(
        default=None, ge=0, le=3, description="days after the start; by default the next time the clock shows the end"
    )
    zone: str = Field(default="Asia/Shanghai", max_length=64, description="IANA time zone")
    rule: str = Field(
        default="", max_length=200, description="RFC 5545 RRULE; empty for one shift", examples=["FREQ=WEEKLY;BYDAY=MO"]
    )
    except_on: list[date] = Field(
        default_factory=list, max_length=400, description="days on which it does not take place"
    )
    building: ShortText = ""
    floors: Floors = Field(default_factory=list)
    note: LongText = Field(default="", description="what whoever is on this shift must know")

    @field_validator("start_time", "end_time")
    @classmethod
    def _wall(cls, value: time) -> time:
        if value.tzinfo is not None:
            raise ValueError("a wall time has no offset; name the zone in `zone`")
        return value.replace(microsecond=0)

    @model_validator(mode="after")
    def _check(self) -> ShiftBody:
        if not 2000 <= self.starts_on.year < 2200:
            raise ValueError("starts_on must lie between the years 2000 and 2199")
        if self.end_day == 0 and self.end_time <= self.start_time:
            raise ValueError("the shift would end before it begins")
        return self


class Shift(BaseModel):
    """A shift of the rota."""

    id: UUID
    user_id: UUID
    user_name: str
    title: str
    starts_on: date
    start_time: time
    end_time: time
    end_day: int
    zone: str
    rule: str
    except_on: list[date]
    building: str
    floors: list[str]
    note: str
    version: int


ShiftPage = Page[Shift]


class SwapBody(Input):
    """One occurrence of a shift goes to somebody else; asked for by staff, it counts once that person accepts."""

    on: date = Field(description="the day on which the occurrence begins, in the shift's zone")
    user_id: UUID
    reason: ShortText = ""


class Swap(BaseModel):
    """A swap; until it is accepted, the shift stays whose it was."""

    id: UUID
    shift_id: UUID
    on: date
    from_id: UUID
    from_name: str
    user_id: UUID
    user_name: str
    reason: str
    author: str
    created_at: datetime
    accepted_at: datetime | None


SwapPage = Page[Swap]


class AbsenceBody(Input):
    """Somebody is away; whoever is absent is not on duty, whatever the rota says."""

    user_id: UUID
    begins_at: Instant
    ends_at: Instant
    reason: ShortText = ""

    @model_validator(mode="after")
    def _check(self) -> AbsenceBody:
        if self.ends_at <= self.begins_at:
            raise ValueError("an absence ends after it begins")
        return self


class Absence(BaseModel):
    """An absence."""

    id: UUID
    user_id: UUID
    user_name: str
    begins_at: datetime
    ends_at: datetime
    reason: str
    created_at: datetime


AbsencePage = Page[Absence]


class HandoverBody(Input):
    """What this shift tells the next."""

    building: ShortText = ""
    floors: Floors = Field(default_factory=list)
    note: LongText = Field(min_length=1, examples=["203 张老血压偏高，22:00 复测"])


class Handover(BaseModel):
    """A hand-over note."""

    id: UUID
    at: datetime
    author: str
    building: str
    floors: list[str]
    note: str


HandoverPage = Page[Handover]


class DutyPerson(BaseModel):
    """Somebody on duty, and why."""

    user_id: UUID
    name: str
    phone: str
    source: str = Field(description="rota, swap or by_hand", examples=["rota"])
    shift_id: UUID | None
    title: str
    begins_at: datetime | None
    until: datetime | None = Field(description="null for who went on duty by hand")
    building: str
    floors: list[str]
    note: str


class OnDuty(BaseModel):
    """Who is on duty at a moment, by the same rule that a page follows."""

    at: datetime
    items: list[DutyPerson]
    nobody: bool = Field(description="无人在岗：将通知全体人员 · then everyone would be paged")
    of_floor: bool = Field(description="false where nobody is on duty for the floor and the house is meant instead")
    handovers: list[Handover] = Field(description="交接班记录，最近24小时 · of the last 24 hours")


class Planned(BaseModel):
    """One occurrence of a shift, and who does it."""

    shift_id: UUID
    on: date
    begins_at: datetime
    ends_at: datetime
    user_id: UUID
    name: str
    source: str
    title: str
    building: str
    floors: list[str]


class PlannedList(BaseModel):
    """Who works when, swaps and absences counted."""

    items: list[Planned]
    next: None = None


class Imported(BaseModel):
    """What an import did: all of the calendar was taken."""

    added: int
    changed: int
    swaps: int
