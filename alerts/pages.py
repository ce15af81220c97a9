"""Pages: an alert and a recipient enter, rows of the outbox leave, at most as many a minute as the institution set.

The first channel is written with the step. Further channels of the same recipient follow when one fails, or when
nobody has seen the page in time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from alerts import recipients, timeline
from alerts.lifecycle import REPAGING_TYPES, is_urgent
from alerts.notify import message
from alerts.recipients import Recipient
from alerts.timeline import Kind
from core.clock import Clock
from core.ids import new_id
from core.vocabulary import Names, Severity
from db.tenant import Transaction

PAGES_PER_MINUTE_MAX = 6
"""Pages that leave the house for one recipient, unless the institution set another number; the first of an emergency
is never held back."""
UNSEEN_SECONDS = 60
"""A page of an urgent alert that nobody has seen for so long is followed by the recipient's next channel."""

Purpose = Literal["page", "update", "rescue"]


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a step: which row and position it is, for which occurrence, and why it runs."""

    position: int | str
    whom: str
    occurrence: int = 1
    step_id: UUID | None = None
    about: Names | None = None
    purpose: Purpose = "page"


def write(
    tx: Transaction, clock: Clock, alert: dict[str, Any], run: Run, recipient: Recipient, context: dict[str, Any]
) -> None:
    """The page in the product, and the first channel; further channels follow when that one fails."""
    if recipient.key == "rescue":
        run = Run(run.position, run.whom, run.occurrence, run.step_id, run.about, "rescue")
    found = recipients.channels(tx, alert["institution_id"], recipient)
    if recipient.has_console or not found:
        add(tx, clock, alert, run, recipient, None, text_for(tx, alert, context, run, recipient, public=False))
    if found:
        send_through(tx, clock, alert, run, recipient, found[0], context)


def send_through(
    tx: Transaction,
    clock: Clock,
    alert: dict[str, Any],
    run: Run,
    recipient: Recipient,
    channel: dict[str, Any],
    context: dict[str, Any],
) -> bool:
    """Write the page for one channel, held back where it would be too many, later where it is quiet; whether it was."""
    text = text_for(tx, alert, context, run, recipient, public=channel["is_public"])
    limit = pages_per_minute_max(tx, alert["institution_id"])
    held = _over_cap(tx, clock, alert, run, recipient, limit)
    waits = None if is_urgent(Severity(alert["severity"])) else recipient.quiet_until
    added = add(tx, clock, alert, run, recipient, channel, text, held_back=held, not_before=waits)
    if held and added:
        note = f"{recipient.name} 一分钟内通知过多，本次未发出 / Held back: too many pages a minute"
        data = {"recipient": recipient.key, "reason": "rate_cap", "per_minute": limit}
        timeline.add(tx, clock, alert, Kind.SUPPRESSED, note, data=data)
    elif waits is not None and added:
        note = f"{recipient.name} 处于安静时段，推迟发送 / Quiet hours of {recipient.name}: sent when they end"
        data = {"recipient": recipient.key, "reason": "quiet_hours", "until": timeline.stamp(waits)}
        timeline.add(tx, clock, alert, Kind.DEFERRED, note, data=data)
    return added


def add(
    tx: Transaction,
    clock: Clock,
    alert: dict[str, Any],
    run: Run,
    recipient: Recipient,
    channel: dict[str, Any] | None,
    text: dict[str, Any],
    *,
    held_back: bool = False,
    not_before: datetime | None = None,
) -> bool:
    """Write one outbox row unless its idempotency key is there already; whether it was written."""
    channel_id, now = channel["id"] if channel else None, clock.now()
    key = f"{alert['id']}:{run.position}:{run.occurrence}:{recipient.key}:{channel_id or 'console'}"
    row = tx.first(
        "outbox.add",
        id=new_id(clock),
        institution_id=alert["institution_id"],
        alert_id=alert["id"],
        step_id=run.step_id,
        idempotency_key=key,
        recipient=recipient.key,
        recipient_name=recipient.name,
        channel_id=channel_id,
        channel_kind=channel["kind"] if channel else "console",
        message=text,
        purpose=run.purpose,
        state="cancelled" if held_back else "pending",
        last_error="rate_cap" if held_back else "",
        now=now,
        next_attempt_at=max(now, not_before) if not_before else now,
    )
    return row is not None


def text_for(
    tx: Transaction, alert: dict[str, Any], context: dict[str, Any], run: Run, recipient: Recipient, *, public: bool
) -> dict[str, Any]:
    """What one recipient is told, by what they may know at this moment."""
    if run.purpose == "update":
        return message.compose_update(alert, context, public=public, about=run.about)
    if run.purpose == "rescue":
        return message.compose_rescue(alert, context, rescue_card(tx, alert), about=run.about)
    return message.compose(alert, context, public=public, about=run.about, scopes=recipient.scopes)


def rescue_card(tx: Transaction, alert: dict[str, Any]) -> dict[str, Any]:
    """What helpers from outside are told: where and how to get in always, the rest with the consent on the card."""
    row = tx.first("rescue_cards.card", resident=alert["resident_id"]) if alert["resident_id"] else None
    if row is None:
        return {"address": alert["place"]}
    place = row["address"] or row["place"] or alert["place"]
    card = {"name": row["name"], "sex": row["sex"], "birth_date": row["birth_date"].isoformat(), "address": place}
    card |= {"place": row["place"], "access": row["access"], "phone": row["phone"]}
    if row["consented_at"] is None:
        return card
    medical = ("conditions", "medication", "allergies", "mobility", "communication", "hospital", "notes")
    contacts = tx.all("rescue_cards.contacts", resident=alert["resident_id"])
    return card | {name: row[name] or "" for name in medical} | {"contacts": [dict(one) for one in contacts]}


def recipient_of(tx: Transaction, page: dict[str, Any], at: datetime) -> tuple[Recipient, Names | None]:
    """The recipient of a row of the outbox as they are now, and why they may not be told any more."""
    kind, _, value = page["recipient"].partition(":")
    name = page["recipient_name"]
    if kind == "user":
        return Recipient(page["recipient"], name, user_id=UUID(value)), None
    if kind == "contact":
        row = tx.first("escalation.contact_by_id", id=UUID(value))
        if row is None:
            return Recipient(page["recipient"], name), Names("联系人已删除", "the contact was removed")
        return recipients.contact_of(row, at), recipients.refused(row)
    return Recipient(page["recipient"], name), None


def run_of(page: dict[str, Any]) -> Run:
    """The run that wrote a row of the outbox; step and occurrence are in its idempotency key."""
    _, position, occurrence, _ = page["idempotency_key"].split(":", 3)
    about = message.about_of(page["message"])
    return Run(position, "", int(occurrence), page["step_id"], about, page["purpose"])


def next_channel(tx: Transaction, clock: Clock, page: dict[str, Any], *, voice_first: bool = False) -> str | None:
    """Start the recipient's next channel that this page has not used; its kind, or None where there is no other."""
    recipient, refused = recipient_of(tx, page, clock.now())
    if refused is not None:
        return None
    alert = tx.one("alerts.lock", id=page["alert_id"])
    context = tx.one("alerts.context", id=alert["id"])
    run = run_of(page)
    found = recipients.channels(tx, page["institution_id"], recipient)
    if voice_first:
        found.sort(key=lambda channel: not channel["is_voice"])
    for channel in found:
        if channel["id"] != page["channel_id"] and send_through(tx, clock, alert, run, recipient, channel, context):
            tx.run("outbox.wake")
            return "voice" if channel["is_voice"] else str(channel["kind"])
    return None


def pages_per_minute_max(tx: Transaction, institution_id: UUID) -> int:
    """How many pages a minute leave for one recipient of this institution."""
    row = tx.first("escalation.settings", institution_id=institution_id)
    return int(row["pages_per_minute_max"]) if row else PAGES_PER_MINUTE_MAX


def _over_cap(tx: Transaction, clock: Clock, alert: dict[str, Any], run: Run, recipient: Recipient, limit: int) -> bool:
    """Whether one more page would be too many. An emergency is measured by itself: no flood of others silences it."""
    emergency = alert["type"] in REPAGING_TYPES or alert["severity"] == Severity.CRITICAL
    if emergency and str(run.position) == "0" and run.occurrence == 1 and run.purpose != "update":
        return False
    recent = tx.one(
        "outbox.recent_pages",
        institution_id=alert["institution_id"],
        recipient=recipient.key,
        since=clock.now() - timedelta(seconds=60),
        alert_id=alert["id"] if emergency else None,
    )
    return int(recent["n"]) >= limit
