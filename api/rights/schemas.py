"""What the routes of the person's rights take and give."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, model_validator

from api.paging import Page
from api.residents.schemas import ResidentPatch
from api.schemas import Input, LongText, Name, Phone, ShortText

Capacity = Literal["full", "limited", "none"]
AfterDeath = Literal["relatives", "named", "nobody"]
GuardianKind = Literal["statutory", "agreed", "agent", "relative"]
Power = Literal[
    "consent_alerts", "consent_health", "consent_location", "consent_activity", "access", "correction", "restriction",
    "erasure",
]  # fmt: skip
Kind = Literal["access", "correction", "restriction", "erasure"]
State = Literal["open", "refused", "granted", "confirming", "running", "waiting", "done"]


class LegalBody(Input):
    """Whether the resident decides by themselves, and what they arranged for after their death."""

    capacity: Capacity = Field(default="full", description="民事行为能力 · civil capacity", examples=["full"])
    ground: ShortText = Field(default="", description="依据文书 · the paper that says so", examples=[""])
    after_death: AfterDeath = Field(
        default="relatives",
        description="身后由谁行使权利 · who acts after the death: relatives (PIPL 49), those named, nobody",
        examples=["relatives"],
    )
    wishes: LongText = Field(default="", description="生前安排 · what the person arranged", examples=[""])
    version: int | None = Field(default=None, ge=0, description="refuse if it has changed since")


class Legal(BaseModel):
    """The legal standing of a resident; version 0 where nothing was noted."""

    capacity: Capacity
    ground: str
    after_death: AfterDeath
    wishes: str
    version: int
    updated_at: datetime | None


class GuardianCreate(Input):
    """Somebody who acts for a resident, on a paper that was seen."""

    kind: GuardianKind = Field(
        description="法定监护、意定监护、委托代理、身后近亲属 · by law, by agreement, agent, relative after death",
        examples=["statutory"],
    )
    name: Name = Field(examples=["王丽"])
    relation: ShortText = Field(default="", examples=["女儿"])
    phone: Phone = ""
    user_id: UUID | None = Field(default=None, description="their family account, if they have one")
    ground: Name = Field(
        description="监护依据 · decision, agreement, proof of kinship", examples=["渝中区法院判决 2026-118"]
    )
    powers: list[Power] = Field(min_length=1, max_length=8, examples=[["consent_health", "access"]])
    valid_from: date = Field(examples=["2026-01-01"])
    valid_until: date | None = Field(default=None, examples=[None])

    @model_validator(mode="after")
    def _in_order(self) -> GuardianCreate:
        if self.valid_until is not None and self.valid_until < self.valid_from:
            raise ValueError("valid_until lies before valid_from")
        return self


class Guardian(BaseModel):
    """Somebody who acts for a resident; one whose time is over stays as a record."""

    id: UUID
    kind: GuardianKind
    name: str
    relation: str
    phone: str
    user_id: UUID | None
    ground: str
    powers: list[Power]
    valid_from: date
    valid_until: date | None
    ended_at: datetime | None
    verified_by: str
    created_at: datetime


class GuardianList(BaseModel):
    """Everybody who acts or acted for a resident, oldest first."""

    items: list[Guardian]
    next: None = None


class RequestCreate(Input):
    """What is asked, by whom. Family accounts ask as guardian or relative; staff writes down what was asked of it."""

    kind: Kind = Field(examples=["access"])
    requested_by: Name = Field(
        description="本人、监护人或近亲属姓名 · the person, guardian or relative", examples=["本人"]
    )
    guardian_id: UUID | None = Field(default=None, description="who acts, where it is not the person")
    reason: LongText = Field(default="", examples=["想保存母亲的健康记录"])
    changes: ResidentPatch | None = Field(default=None, description="of a correction: the fields as they should be")

    @model_validator(mode="after")
    def _fits(self) -> RequestCreate:
        if (self.kind == "correction") != (self.changes is not None and bool(self.changes.model_fields_set)):
            raise ValueError("a correction says what should stand there, and nothing else does")
        return self


class Decision(Input):
    """The answer, which is told to whoever asked."""

    grant: bool = Field(examples=[True])
    reason: LongText = Field(default="", description="needed where it is refused", examples=[""])

    @model_validator(mode="after")
    def _explained(self) -> Decision:
        if not self.grant and not self.reason.strip():
            raise ValueError("a refusal says why")
        return self


class Confirmation(Input):
    """The second pair of eyes on an erasure."""

    confirm: bool = Field(examples=[True])
    reason: LongText = Field(default="", description="needed where it is not confirmed", examples=[""])

    @model_validator(mode="after")
    def _explained(self) -> Confirmation:
        if not self.confirm and not self.reason.strip():
            raise ValueError("a refusal says why")
        return self


class Done(BaseModel):
    """What an erasure did to one kind of data."""

    what: str = Field(examples=["readings"])
    action: Literal["deleted", "emptied"]
    rows: int = Field(examples=[86400])


class Kept(BaseModel):
    """What an erasure left, why, and until when."""

    what: str = Field(examples=["service_records"])
    ground_zh: str
    ground_en: str
    until: datetime | None


class Receipt(BaseModel):
    """What was erased and what is kept; `receipt_hash` of the request is SHA-256 of it as canonical JSON."""

    request_id: UUID
    at: datetime
    complete: bool = Field(description="false while the time of the record of care is not over")
    decided_by: str | None = Field(default=None, description="who granted it", examples=["王院长"])
    confirmed_by: str | None = Field(default=None, description="who confirmed it, somebody else", examples=["李主任"])
    erased: list[Done]
    kept: list[Kept]


class RightsRequest(BaseModel):
    """A request and how it was answered."""

    id: UUID
    resident_id: UUID
    kind: Kind
    state: State
    requested_by: str
    guardian_id: UUID | None
    reason: str
    changes: dict[str, Any]
    received_at: datetime
    due_at: datetime = Field(description="30 days after it was received (GB/T 35273)")
    decided_at: datetime | None
    decided_by: str | None
    confirmed_at: datetime | None = Field(description="of an erasure: when a second administrator confirmed it")
    confirmed_by: str | None
    decision: str
    keep_until: datetime | None = Field(description="of an erasure: until when the record of care is kept")
    done_at: datetime | None
    receipt: Receipt | None
    receipt_hash: str | None


RequestPage = Page[RightsRequest]


class DeskItem(BaseModel):
    """A request on the desk of the house; what it says is read at the resident."""

    id: UUID
    resident_id: UUID
    resident_name: str = Field(examples=["赵桂兰"])
    kind: Kind
    state: State = Field(description="open: to be answered; confirming: waits for a second administrator")
    requested_by: str
    received_at: datetime
    due_at: datetime
    overdue: bool = Field(description="its 30 days are over and nobody has answered")
    decided_by: str | None


DeskPage = Page[DeskItem]


class Change(BaseModel):
    """One change of a resident's record."""

    id: int
    at: datetime
    version: int
    fields: dict[str, Any] = Field(examples=[{"room": {"from": "203", "to": "305"}}])
    by: str | None


ChangePage = Page[Change]
