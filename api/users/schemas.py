"""Bodies about accounts."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from api.auth.schemas import NewPassword
from api.paging import Page
from api.schemas import Input, Name, Phone

UserRole = Literal["admin", "caregiver", "family", "provider"]
AnyRole = Literal["admin", "caregiver", "family", "provider", "regulator", "platform"]
Username = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9._@-]{3,64}$"), AfterValidator(lambda text: text.lower())
]


class UserCreate(Input):
    """A new account of the institution."""

    username: Username = Field(examples=["nurse.li"])
    password: NewPassword
    role: UserRole = Field(examples=["caregiver"])
    name: Name = Field(examples=["李护士"])
    phone: Phone = ""
    on_duty: bool = False
    must_change_password: bool = Field(default=False, description="whether the first thing asked is another password")


class UserPatch(Input):
    """Fields to change; what is left out stays. A new password or `disabled` ends the account's tokens.

    A password that somebody else has set must be changed by its owner before anything else.
    """

    name: Name | None = None
    phone: Phone | None = None
    on_duty: bool | None = Field(default=None, examples=[True])
    disabled: bool | None = None
    password: NewPassword | None = None


class User(BaseModel):
    """An account."""

    id: UUID
    username: str = Field(examples=["nurse.li"])
    role: AnyRole
    name: str = Field(examples=["李护士"])
    phone: str
    on_duty: bool
    disabled_at: datetime | None
    must_change_password: bool
    created_at: datetime


class UserPage(Page[User]):
    """Accounts, by when they were made."""


class Colleague(BaseModel):
    """Somebody who works here, as everybody who works here may know them."""

    id: UUID
    name: str = Field(examples=["李护士"])
    role: AnyRole
    on_duty: bool = Field(description="as set by hand; `/rota/on-duty` knows the rota too")


class ColleaguePage(Page[Colleague]):
    """Active accounts of staff, by when they were made."""


class DutyRequest(Input):
    """Whether the caller is on duty from now on."""

    on_duty: bool = Field(examples=[True])
