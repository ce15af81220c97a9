"""What the routes of escalation take and give."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints, model_validator

from api.schemas import Input, Instant, ShortText, Storable
from core.vocabulary import Severity

_URL = r"^[A-Za-z][A-Za-z0-9+.-]*://\S+$"
Target = Annotated[str, StringConstraints(strip_whitespace=True, min_length=6, max_length=2000, pattern=_URL), Storable]


class PlanStep(Input):
    """Whom to page, how long after the alert opened."""

    after_seconds: int = Field(examples=[0])
    whom: str = Field(max_length=64, examples=["on_duty"])


class PlanBody(Input):
    """A plan; without a type it is the one for every type that has none of its own."""

    alert_type: str | None = Field(default=None, max_length=64, examples=["sos"])
    building: ShortText = Field(default="", description="为空则适用全院 · empty for the whole house", examples=["2"])
    steps: list[PlanStep] = Field(max_length=100)
    version: int | None = Field(
        default=None, ge=0, description="refuse if it has changed since this version was read", examples=[1]
    )


class Plan(BaseModel):
    """A plan in force; version 0 is the platform's own, until the institution saves one."""

    alert_type: str | None
    building: str = ""
    steps: list[PlanStep]
    version: int
    updated_at: datetime | None


class PlanList(BaseModel):
    """Every plan of the institution."""

    items: list[Plan]
    next: str | None = None


class ChannelBody(Input):
    """A way to page somebody: an account, a contact, or with neither the duty desk, or rescue from outside."""

    kind: Literal["webhook", "apprise"]
    target: Target
    user_id: UUID | None = None
    contact_id: UUID | None = None
    position: int = Field(default=1, ge=1, le=20, description="smaller is tried first")
    is_public: bool = Field(default=False, description="others can read it: no names, places or values are sent")
    is_voice: bool = Field(
        default=False, description="它会打电话 · it rings: tried last, and first for what was not seen"
    )
    purpose: Literal["page", "rescue"] = Field(
        default="page", description="rescue: 外部救援，附救援卡 · an outside service, sent the rescue card"
    )
    secret: Annotated[str, StringConstraints(min_length=16, max_length=200), Storable] | None = Field(
        default=None, description="signs webhooks; made here if not given"
    )

    @model_validator(mode="after")
    def _check(self) -> ChannelBody:
        if self.user_id and self.contact_id:
            raise ValueError("a channel belongs to an account or a contact, not both")
        if self.purpose == "rescue" and (self.user_id or self.contact_id or self.is_public or self.kind != "webhook"):
            raise ValueError("a rescue channel is a webhook that belongs to nobody here and is not public")
        if self.kind == "webhook" and not self.target.lower().startswith(("https://", "http://")):
            raise ValueError("a webhook needs an http or https URL")
        return self


class ChannelHealth(BaseModel):
    """How a channel did in the last seven days."""

    sent: int
    failed: int
    success_share: float | None = Field(description="null where nothing was tried", examples=[0.98])
    last_success_at: datetime | None
    last_failure_at: datetime | None
    last_error: str = Field(examples=["no answer within 10 s"])
    ok: bool | None = Field(description="whether the last attempt went well; null where there was none")


class Channel(BaseModel):
    """A channel; the target may hold secrets and is never shown again, only its scheme."""

    id: UUID
    kind: str
    scheme: str
    user_id: UUID | None
    contact_id: UUID | None
    owner: str = Field(description="account, contact, desk or rescue")
    owner_name: str | None
    position: int
    is_public: bool
    is_voice: bool
    enabled: bool
    created_at: datetime
    health: ChannelHealth


class NewChannel(Channel):
    """A channel as it was made; the signing secret of a webhook is shown this once."""

    secret: str | None


class ChannelList(BaseModel):
    """Channels in the order in which they were made."""

    items: list[Channel]
    next: str | None = None


class PreviewBody(Input):
    """An alert that has not happened: whom would it page? With steps, a plan that is not saved yet."""

    alert_type: str = Field(default="sos", max_length=64)
    severity: Severity = Severity.CRITICAL
    resident_id: UUID | None = None
    at: Instant | None = Field(default=None, description="默认现在 · now, unless said otherwise")
    steps: list[PlanStep] | None = Field(default=None, max_length=100)


class PreviewRecipient(BaseModel):
    """Who would be paged, and through what, in the order in which it is tried."""

    key: str = Field(examples=["user:0198c0de-0000-7000-8000-000000000000"])
    name: str
    channels: list[str] = Field(description="schemes; console is the product itself", examples=[["console", "bark"]])
    waits_until: datetime | None = Field(description="安静时段结束 · the end of quiet hours, for what is not urgent")


class PreviewStep(BaseModel):
    """One step of the plan as it would run."""

    after_seconds: int
    due_at: datetime
    whom: str
    recipients: list[PreviewRecipient]
    notes: list[str] = Field(description="时间线将记录 · what the timeline would say")


class Preview(BaseModel):
    """Who would be paged, and when."""

    alert_type: str
    severity: Severity
    at: datetime
    steps: list[PreviewStep]


class AlertSettingsBody(Input):
    """How pages are sent here."""

    pages_per_minute_max: int = Field(
        ge=1, le=60, description="每人每分钟 · for one recipient, in a minute", examples=[6]
    )
    unseen_seconds: int = Field(
        ge=20, le=900, description="未查看则换渠道 · then the next channel is tried", examples=[60]
    )
    version: int | None = Field(
        default=None, ge=0, description="refuse if it has changed since this version was read", examples=[1]
    )


class AlertSettings(BaseModel):
    """How pages are sent; version 0 is the platform's own setting."""

    pages_per_minute_max: int
    unseen_seconds: int
    version: int
    updated_at: datetime | None
