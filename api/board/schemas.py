"""What the board gives."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from api.paging import Page
from api.residents.schemas import Status
from api.schemas import Names
from core.vocabulary import AlertState, Severity


class BoardResident(BaseModel):
    """Who, and where they live."""

    id: UUID
    name: str = Field(examples=["王秀英"])
    building: str = Field(examples=["A"])
    floor: str = Field(examples=["2"])
    room: str = Field(examples=["203"])
    status: Status
    care_level: int | None


class BoardMonitoring(BaseModel):
    """Whether somebody is watched over now, and why not."""

    level: Literal["full", "partly", "none"]
    name: Names
    reasons: list[Names]
    away_until: datetime | None


class BoardVital(BaseModel):
    """The newest value of a vital sign, and the way it came."""

    metric: str = Field(examples=["heart_rate"])
    name: Names
    unit: str = Field(examples=["/min"])
    value: float = Field(examples=[72])
    t: datetime
    trend: list[float | None] = Field(
        description="means of `trend_step_seconds`, oldest first, the last one is the present; null: nothing measured",
        examples=[[71.5, None, 72.0]],
    )


class BoardSeen(BaseModel):
    """What last told of the person being somewhere: motion, a bed, a door, a position."""

    metric: str = Field(examples=["motion"])
    place: Names = Field(examples=[{"zh": "203", "en": "203"}])
    t: datetime


class BoardAlert(BaseModel):
    """An unresolved alert about the resident."""

    id: UUID
    type: str = Field(examples=["fall"])
    type_name: Names
    severity: Severity
    state: AlertState
    state_name: Names
    opened_at: datetime
    occurrences: int
    test: bool


class BoardCard(BaseModel):
    """One resident."""

    resident: BoardResident
    monitoring: BoardMonitoring
    vitals: list[BoardVital]
    seen: BoardSeen | None = Field(description="null: never")
    alerts: list[BoardAlert] = Field(description="oldest first")


class BoardPage(Page[BoardCard]):
    """Residents by building, floor and room; who has left is left out."""

    trend_step_seconds: int = Field(examples=[300])
