"""What the routes of alerts take and give."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from api.paging import Page
from api.schemas import Input, LongText, Names
from core.vocabulary import AlertState, Outcome, Severity


class ResidentBrief(BaseModel):
    """Whom an alert is about."""

    id: UUID
    name: str
    phone: str | None = None
    building: str | None = None
    floor: str | None = None
    room: str | None = None
    access_notes: str | None = None


class DeviceBrief(BaseModel):
    """What told of it."""

    id: str
    kind: str
    name: str
    kind_name: Names


class Person(BaseModel):
    """Who did something."""

    id: UUID
    name: str


class NextEscalation(BaseModel):
    """The step that runs next if nobody answers."""

    position: int
    whom: str = Field(examples=["contact:1"])
    due_at: datetime


class Responding(BaseModel):
    """Who is taking care of it, and since when; also a contact who answered through a link and has no account."""

    name: str
    role: str = Field(examples=["caregiver", "family"])
    since: datetime
    on_site: bool


class Alert(BaseModel):
    """An alert as lists show it."""

    id: UUID
    type: str = Field(examples=["sos"])
    type_name: Names
    severity: Severity
    severity_name: Names
    state: AlertState
    state_name: Names
    source: str = Field(description="event, detector or person")
    resident: ResidentBrief | None
    device: DeviceBrief | None
    place: str
    test: bool = Field(description="演练 · a drill")
    occurred_at: datetime
    opened_at: datetime
    last_occurred_at: datetime
    occurrences: int
    acknowledged_at: datetime | None
    on_site_at: datetime | None
    resolved_at: datetime | None
    cleared_at: datetime | None
    outcome: Outcome | None
    outcome_name: Names | None
    deadline_at: datetime | None = Field(description="by when the next thing must happen")
    score: float | None
    responding: Responding | None = Field(description="null while nobody has answered")
    next_escalation: NextEscalation | None = Field(description="null once somebody has answered")
    version: int


AlertPage = Page[Alert]


class Entry(BaseModel):
    """One entry of an alert's timeline."""

    seq: int
    at: datetime
    kind: str = Field(examples=["opened", "paged", "acknowledged"])
    actor_id: UUID | None
    actor: str
    note: str
    data: dict[str, Any]


class AlertDetail(Alert):
    """An alert with everything that is known of it."""

    evidence: dict[str, Any] = Field(description="value, limit, rule, version of what raised it")
    plan: list[dict[str, Any]]
    acknowledged_by: Person | None
    on_site_by: Person | None
    resolved_by: Person | None
    timeline: list[Entry]


class Acted(AlertDetail):
    """The alert after an action; `changed` is false where the action had been done before."""

    changed: bool
    reason: str = Field(examples=["acknowledged", "already_acknowledged"])
    reason_name: Names


class ActionBody(Input):
    """What goes with an action."""

    note: LongText = ""
    version: int | None = Field(default=None, ge=1, description="refuse if the alert has changed since")


class ResolveBody(ActionBody):
    """How it ended."""

    outcome: Outcome | None = Field(default=None, description="needed to resolve")


class Indicator(BaseModel):
    """A share with what it is made of."""

    code: str
    name: Names
    numerator: int
    denominator: int
    value: float | None = Field(description="null where there is nothing to count")
    percent: float | None = Field(description="the same in percent", examples=[97.5])
    target: float | None
    met: bool | None


class KpiGroup(BaseModel):
    """Figures of a group of alerts."""

    alerts: int
    tests: int
    self_resolved: int
    unanswered: int
    indicators: list[Indicator]
    resident_days: float = Field(description="days of residents in care")
    caregiver_days: float = Field(description="days of caregivers with an account")
    per_resident_day: float | None = Field(description="alerts, tests left out, for each resident and day")
    per_caregiver_day: float | None = Field(description="alerts, tests left out, for each caregiver and day")


class KpiSlice(KpiGroup):
    """The figures of one month, institution, shift or type: of urgent alerts, and of all beside them."""

    key: str = Field(examples=["2026-01"])
    name: Names
    all_severities: KpiGroup


class KpiSlices(BaseModel):
    """The same alerts, divided in four ways."""

    month: list[KpiSlice]
    institution: list[KpiSlice]
    shift: list[KpiSlice]
    type: list[KpiSlice]


class Kpi(KpiGroup):
    """Response figures of urgent alerts (critical and high), and of all beside them."""

    model_config = {"populate_by_name": True}

    start: datetime = Field(alias="from")
    to: datetime
    population: str = "critical, high"
    all_severities: KpiGroup
    by: KpiSlices
