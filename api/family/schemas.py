"""What the routes for families take and give."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from api.paging import Page
from api.schemas import Input, Instant, LongText, Name, Names, ShortText


class AwayBody(Input):
    """Away from the house or in hospital, with an end: an absence that nobody ends must end by itself."""

    kind: Literal["away", "hospital"] = "away"
    until: Instant = Field(examples=["2026-12-01T08:00:00Z"])
    begins_at: Instant | None = Field(default=None, description="默认现在 · now, unless said otherwise")
    reason: ShortText = Field(default="", examples=["回女儿家"])


class HeldFinding(BaseModel):
    """What detectors found meanwhile: held, and raised at the end if it still holds."""

    type: str
    type_name: Names
    severity: str
    count: int
    occurred_at: datetime
    last_at: datetime
    cleared_at: datetime | None
    released_at: datetime | None


class Away(BaseModel):
    """An absence, who noted it, and what was held meanwhile."""

    id: UUID
    kind: str
    kind_name: Names
    begins_at: datetime
    until: datetime
    reason: str
    author: str
    created_at: datetime
    ended_at: datetime | None
    ended_by: str = Field(description="empty where it ended by its date")
    current: bool
    paused_types: list[str] = Field(description="暂缓的规则 · what is held meanwhile")
    findings: list[HeldFinding]


AwayPage = Page[Away]


class MonitoredDevice(BaseModel):
    """One device that serves the resident, and whether it can be relied on now."""

    kind: str
    kind_name: Names
    name: str
    working: bool
    last_sample: datetime | None
    battery: float | None
    reason: Names | None


class Monitoring(BaseModel):
    """Whether the resident is watched over now, honestly."""

    resident_id: UUID
    at: datetime
    monitored: bool = Field(description="true only where nothing is known to be wrong, or only part of it")
    level: Literal["full", "partly", "none"]
    name: Names
    reasons: list[Names] = Field(description="why it is not full")
    devices: list[MonitoredDevice]
    away_until: datetime | None
    open_alerts: int


class RescueContact(BaseModel):
    """Whom helpers can call."""

    position: int
    name: str
    relation: str
    phone: str


class RescueCardBody(Input):
    """What helpers from outside need. Address, access, conditions and medication are those of the record."""

    address: ShortText = Field(default="", examples=["人民路1号"])
    access: LongText = Field(default="", examples=["门卡在值班室，二楼左转"])
    conditions: LongText = Field(default="", examples=["房颤，糖尿病"])
    medication: LongText = Field(default="", examples=["华法林 2.5 mg 每晚"])
    allergies: LongText = Field(default="", examples=["青霉素"])
    mobility: LongText = Field(default="", examples=["轮椅"])
    communication: LongText = Field(default="", examples=["听力差，只讲重庆话"])
    hospital: ShortText = Field(default="", examples=["市第一人民医院"])
    notes: LongText = ""
    consented_by: ShortText = Field(
        default="",
        description="谁同意在救援时提供病史、用药与联系人；为空则不提供 · who agreed that medical facts and contacts"
        " are told to rescuers; empty: they are not",
        examples=["本人"],
    )
    version: int | None = Field(default=None, ge=0, description="refuse if the card has changed since")


class RescueCard(BaseModel):
    """The rescue card; what is sent without consent is name, place, access and telephone only."""

    resident_id: UUID
    name: Name
    sex: str
    birth_date: date
    place: str
    address: str
    access: str
    phone: str
    conditions: str
    medication: str
    allergies: str
    mobility: str
    communication: str
    hospital: str
    notes: str
    contacts: list[RescueContact]
    consented_by: str
    consented_at: datetime | None
    version: int
    updated_at: datetime | None
    updated_by: str | None

    @classmethod
    def of(cls, row: dict[str, Any], contacts: list[dict[str, Any]]) -> RescueCard:
        """The card from a row of `rescue_cards.card`; what was never written is empty."""
        texts = ("allergies", "mobility", "communication", "hospital", "notes", "consented_by")
        filled = {**row, "resident_id": row["id"], **{name: row[name] or "" for name in texts}}
        return cls(**filled, contacts=[RescueContact(**one) for one in contacts])
