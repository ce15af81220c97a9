"""Bodies about providers and workers."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints, model_validator

from api.schemas import Input, Name, Phone, ShortText, Storable

ServiceCode = Literal[
    "information", "safety", "health", "rescue", "goods", "daily-living", "rehabilitation", "companionship", "medical",
    "assessment", "home-care",
]  # fmt: skip
Services = Annotated[list[ServiceCode], Field(min_length=1, max_length=11, examples=[["goods", "daily-living"]])]
BlockReason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500), Storable]


class ProviderIn(Input):
    """A provider: licence and what it offers."""

    name: Name = Field(examples=["幸福食堂"])
    services: Services
    licence: ShortText = Field(default="", examples=["JY25001070000000"])
    licence_until: date | None = None
    phone: Phone = ""


class Provider(BaseModel):
    """A provider; a blocked one gets no work."""

    id: UUID
    name: str
    services: list[str]
    licence: str
    licence_until: date | None
    phone: str
    blocked_at: datetime | None
    blocked_reason: str
    version: int
    created_at: datetime


class Block(Input):
    """Why a provider gets no more work."""

    reason: BlockReason = Field(examples=["欺哄诱购，投诉属实"])


class Member(BaseModel):
    """An account that acts for a provider."""

    user_id: UUID
    name: str
    added_at: datetime


class MemberList(BaseModel):
    """The accounts of a provider."""

    items: list[Member]
    next: None = None


Post = Literal[
    "manager", "caregiver", "nurse", "doctor", "rehabilitation", "social_worker", "cook", "safety", "logistics",
    "other",
]  # fmt: skip


class WorkerChange(Input):
    """What may change of somebody who works here; employers do not change, people are registered anew."""

    name: Name = Field(examples=["陈护工"])
    phone: Phone = ""
    user_id: UUID | None = Field(default=None, description="their account, if they have one")
    duties: list[ShortText] = Field(default=[], max_length=20, examples=[["助浴", "助餐"]])
    post: Post = Field(default="other", examples=["caregiver"])
    hired_on: date | None = None


class WorkerIn(WorkerChange):
    """Somebody who comes."""

    provider_id: UUID | None = Field(default=None, description="left out: works for the institution itself")


class Rating(BaseModel):
    """What was said of a provider's work."""

    rated: int = Field(description="pieces of work with stars", examples=[41])
    stars: float | None = Field(description="their mean", examples=[4.6])
    complaints: int = Field(description="not withdrawn", examples=[2])
    upheld: int = Field(description="of these, found justified", examples=[1])


class Worker(BaseModel):
    """A worker."""

    id: UUID
    provider_id: UUID | None
    user_id: UUID | None
    name: str
    phone: str
    duties: list[str]
    post: str = Field(examples=["caregiver"])
    hired_on: date | None
    left_on: date | None
    active: bool
    version: int
    created_at: datetime


class CertificateIn(Input):
    """A certificate with its term."""

    kind: Name = Field(examples=["养老护理员（四级）"])
    category: Literal["certificate", "work_licence", "health"] = Field(
        default="certificate", description="a health card (健康证) certifies no skill"
    )
    number: ShortText = ""
    valid_from: date
    valid_until: date | None = None

    @model_validator(mode="after")
    def _ordered(self) -> CertificateIn:
        if self.valid_until is not None and self.valid_until < self.valid_from:
            raise ValueError("valid_until lies before valid_from")
        return self


class Certificate(BaseModel):
    """A certificate of a worker."""

    id: UUID
    kind: str
    category: str
    number: str
    valid_from: date
    valid_until: date | None


class CertificateList(BaseModel):
    """The certificates of a worker, newest first."""

    items: list[Certificate]
    next: None = None
