"""What the routes of alerts take and give."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints, model_validator

from api.paging import Page
from api.schemas import Input, LongText, Names, Storable
from core.vocabulary import AlertState, Outcome, Severity

_URL = r"^[A-Za-z][A-Za-z0-9+.-]*://\S+$"
Target = Annotated[str, StringConstraints(strip_whitespace=True, min_length=6, max_length=2000, pattern=_URL), Storable]


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


class NextEscalation(BaseModel):
    """The step that runs next if nobody answers."""

    position: int
    whom: str = Field(examples=["contact:1"])
    due_at: datetime


class AlertDetail(Alert):
    """An alert with everything that is known of it."""

    evidence: dict[str, Any] = Field(description="value, limit, rule, version of what raised it")
    plan: list[dict[str, Any]]
    acknowledged_by: Person | None
    on_site_by: Person | None
    resolved_by: Person | None
    next_escalation: NextEscalation | None
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
    target: float | None
    met: bool | None


class KpiGroup(BaseModel):
    """Figures of a group of alerts."""

    alerts: int
    tests: int
    self_resolved: int
    unanswered: int
    indicators: list[Indicator]


class Kpi(KpiGroup):
    """Response figures of urgent alerts (critical and high), and of all beside them."""

    model_config = {"populate_by_name": True}

    start: datetime = Field(alias="from")
    to: datetime
    population: str = "critical, high"
    all_severities: KpiGroup


class PlanStep(Input):
    """Whom to page, how long after the alert opened."""

    after_seconds: int = Field(examples=[0])
    whom: str = Field(max_length=64, examples=["on_duty"])


class PlanBody(Input):
    """A plan; without a type it is the one for every type that has none of its own."""

    alert_type: str | None = Field(default=None, max_length=64)
    steps: list[PlanStep] = Field(max_length=100)


class Plan(BaseModel):
    """A plan in force; version 0 is the platform's own, until the institution saves one."""

    alert_type: str | None
    steps: list[PlanStep]
    version: int
    updated_at: datetime | None


class PlanList(BaseModel):
    """Every plan of the institution."""

    items: list[Plan]
    next: str | None = None


class ChannelBody(Input):
    """A way to page somebody: an account, a contact, or with neither the duty desk."""

    kind: Literal["webhook", "apprise"]
    target: Target
    user_id: UUID | None = None
    contact_id: UUID | None = None
    position: int = Field(default=1, ge=1, le=20, description="smaller is tried first")
    is_public: bool = Field(default=False, description="others can read it: no names, places or values are sent")
    secret: Annotated[str, StringConstraints(min_length=16, max_length=200), Storable] | None = Field(
        default=None, description="signs webhooks; made here if not given"
    )

    @model_validator(mode="after")
    def _check(self) -> ChannelBody:
        if self.user_id and self.contact_id:
            raise ValueError("a channel belongs to an account or a contact, not both")
        if self.kind == "webhook" and not self.target.lower().startswith(("https://", "http://")):
            raise ValueError("a webhook needs an http or https URL")
        return self


class Channel(BaseModel):
    """A channel; the target may hold secrets and is never shown again, only its scheme."""

    id: UUID
    kind: str
    scheme: str
    user_id: UUID | None
    contact_id: UUID | None
    owner: str = Field(description="account, contact or desk")
    owner_name: str | None
    position: int
    is_public: bool
    enabled: bool
    created_at: datetime


class NewChannel(Channel):
    """A channel as it was made; the signing secret of a webhook is shown this once."""

    secret: str | None


class ChannelList(BaseModel):
    """Channels in the order in which they were made."""

    items: list[Channel]
    next: str | None = None
