"""Bodies about residents, their contacts and consents."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field

from api.paging import Page
from api.schemas import Input, LongText, Name, Names, Phone, ShortText

Sex = Literal["female", "male", "other", "unknown"]
Status = Literal["active", "away", "hospital", "discharged", "deceased"]
Scope = Literal["alerts", "health", "location", "activity"]


def _plausible(day: date) -> date:
    if not date(1880, 1, 1) <= day <= date(2100, 1, 1):
        raise ValueError("must lie after 1880")
    return day


BirthDate = Annotated[date, AfterValidator(_plausible)]


class ResidentCreate(Input):
    """A new resident."""

    name: Name = Field(examples=["王秀英"])
    sex: Sex = Field(examples=["female"])
    birth_date: BirthDate = Field(examples=["1941-03-08"])
    building: ShortText = Field(default="", examples=["A"])
    floor: ShortText = Field(default="", examples=["2"])
    room: ShortText = Field(default="", examples=["203"])
    address: Annotated[ShortText, Field(max_length=100)] = ""
    phone: Phone = Field(default="", examples=["+86 23 5555 0101"])
    care_level: int | None = Field(default=None, ge=0, le=4, description="GB/T 42195-2022, 0–4")
    conditions: LongText = Field(default="", examples=["高血压"])
    medication: LongText = ""
    access_notes: LongText = Field(default="", description="how to get in", examples=["钥匙在值班室"])
    status: Status = "active"


class ResidentPatch(Input):
    """Fields to change; what is left out stays."""

    name: Name | None = None
    sex: Sex | None = None
    birth_date: BirthDate | None = None
    building: ShortText | None = None
    floor: ShortText | None = None
    room: ShortText | None = Field(default=None, examples=["305"])
    address: ShortText | None = None
    phone: Phone | None = None
    care_level: int | None = Field(default=None, ge=0, le=4)
    conditions: LongText | None = None
    medication: LongText | None = None
    access_notes: LongText | None = None
    status: Status | None = Field(default=None, examples=["hospital"])


class Resident(BaseModel):
    """A resident as staff see one."""

    view: Literal["staff"] = "staff"
    id: UUID
    name: str = Field(examples=["王秀英"])
    sex: Sex = Field(examples=["female"])
    birth_date: date = Field(examples=["1941-03-08"])
    building: str = Field(examples=["A"])
    floor: str = Field(examples=["2"])
    room: str = Field(examples=["203"])
    address: str
    phone: str
    care_level: int | None
    conditions: str
    medication: str
    access_notes: str
    status: Status
    version: int = Field(examples=[1])
    created_at: datetime
    updated_at: datetime


class ResidentForFamily(BaseModel):
    """A resident as family see one: no assessment, no conditions, no notes of the staff."""

    view: Literal["family"] = "family"
    id: UUID
    name: str = Field(examples=["王秀英"])
    building: str
    floor: str
    room: str
    status: Status
    scopes: list[Scope] = Field(description="what the resident has consented to", examples=[["alerts", "health"]])


AnyResident = Annotated[Resident | ResidentForFamily, Field(discriminator="view")]


class ResidentPage(Page[AnyResident]):
    """Residents, by when they were entered."""


class ContactCreate(Input):
    """Somebody to call; without a position, after the last."""

    name: Name = Field(examples=["王丽"])
    relation: ShortText = Field(default="", examples=["女儿"])
    phone: Phone = Field(default="", examples=["+86 138 0000 0000"])
    position: int | None = Field(default=None, ge=1, le=20, examples=[1])
    user_id: UUID | None = Field(default=None, description="the contact's account, if there is one")


class Contact(BaseModel):
    """Somebody to call; 1 is called first."""

    id: UUID
    position: int = Field(examples=[1])
    name: str = Field(examples=["王丽"])
    relation: str = Field(examples=["女儿"])
    phone: str
    user_id: UUID | None
    quiet_from: time | None = Field(
        default=None, description="安静时段，仅限非紧急 · quiet hours, for the non-urgent only"
    )
    quiet_to: time | None = None
    zone: str = Field(default="Asia/Shanghai", description="of the quiet hours")
    wants_updates: bool = Field(default=True, description="whether to hear who came and how it ended")
    created_at: datetime


class ContactList(BaseModel):
    """Contacts in the order of calling."""

    items: list[Contact]
    next: None = None


class ConsentCreate(Input):
    """The resident (or a guardian) lets one account see one part."""

    user_id: UUID
    scope: Scope = Field(examples=["health"])
    granted_by: Name = Field(description="who gave it: the resident, or a guardian by name", examples=["本人"])
    guardian_id: UUID | None = Field(
        default=None,
        description="谁代为同意；无行为能力时必填 · the guardian, needed where the resident has no capacity",
    )


class Consent(BaseModel):
    """A consent; withdrawn ones stay as a record."""

    id: UUID
    user_id: UUID
    username: str
    name: str = Field(examples=["王丽"])
    scope: Scope
    scope_name: Names
    granted_at: datetime
    granted_by: str = Field(examples=["本人"])
    guardian_id: UUID | None = None
    withdrawn_at: datetime | None


class ConsentList(BaseModel):
    """Every consent of a resident, oldest first."""

    items: list[Consent]
    next: None = None
