"""Alerts in the database: occurrences and people's actions enter, alerts with timeline, steps and pages leave.

Every function works inside its caller's transaction, so that an alert, its timeline, its escalation steps and the
pages of its first step are committed together or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from psycopg.types.json import Jsonb

from alerts import escalation, lifecycle, restraint, suppression, timeline
from alerts.detectors.news2 import MEASURED as NEWS2_MEASURED
from alerts.detectors.news2 import News2, news2
from alerts.detectors.news2 import age_max_seconds as news2_age_max_seconds
from alerts.family import updates
from alerts.lifecycle import REASON_NAMES, Act, Action, Cleared, Decision, Effect, Raised, Reason, Snapshot
from alerts.notify.message import type_names
from alerts.pages import Run
from alerts.plans import default_plan, plan_for, validate_plan
from alerts.recipients import place_of
from alerts.timeline import Kind
from core.clock import Clock
from core.errors import Conflict
from core.ids import new_id
from core.vocabulary import AlertState, Names, Outcome, Role, Severity
from db.tenant import Transaction

__all__ = [
    "NEWS2_MEASURED",
    "REASON_NAMES",
    "Action",
    "Actor",
    "News2",
    "Occurrence",
    "Outcome",
    "act",
    "default_plan",
    "news2",
    "news2_age_max_seconds",
    "open_or_append",
    "record_test",
    "seen",
    "type_names",
    "validate_plan",
]

Phase = Literal["raised", "cleared"]


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One thing that happened, from an event, a detector or a person; about a resident, else about a device."""

    institution_id: UUID
    type: str
    severity: Severity
    source: Literal["event", "detector", "person"]
    occurred_at: datetime
    resident_id: UUID | None = None
    device_key: int | None = None
    place: str = ""
    score: float | None = None
    evidence: dict[str, Any] = field(default_factory=dict)
    phase: Phase = "raised"
    note: str = ""
    test: bool = False

    @property
    def subject(self) -> str:
        """As the database writes it: the resident, else the device, else the house."""
        if self.resident_id:
            return f"resident:{self.resident_id}"
        return f"site:{self.institution_id}" if self.device_key is None else f"device:{self.device_key}"


class Actor(NamedTuple):
    """Who acts. `recipient`: the key under which they were paged, where a page's link was used."""

    id: UUID | None
    name: str
    role: str
    recipient: str = ""


_ENTRY: dict[Action, Kind] = {
    Action.ACKNOWLEDGE: Kind.ACKNOWLEDGED,
    Action.ARRIVE: Kind.ARRIVED,
    Action.RESOLVE: Kind.RESOLVED,
    Action.ESCALATE: Kind.ESCALATED,
    Action.COMMENT: Kind.COMMENTED,
}


def open_or_append(tx: Transaction, clock: Clock, finding: Occurrence) -> dict[str, Any] | None:
    """Let an occurrence open an alert, join the open one of its subject and type, or annotate it as cleared.

    Returns the alert's row; None where something cleared that has no open alert, or where it was held back.
    """
    timeline.enter(tx, finding.institution_id)
    if finding.phase == "cleared":
        suppression.clear(tx, finding)
        restraint.clear(tx, finding)
        return _clear(tx, clock, finding)
    if suppression.hold(tx, clock, finding):
        return None
    decision = lifecycle.next(None, Raised(finding.type, finding.severity, finding.device_key), clock.now())
    query = {"institution_id": finding.institution_id, "subject": finding.subject, "type": finding.type}
    if tx.first("alerts.lock_current", **query) is None and restraint.hold(tx, clock, finding):
        return None
    opened = _insert(tx, clock, finding, decision)
    if opened is not None:
        return _begin(tx, clock, finding, opened)
    alert = tx.one("alerts.lock_current", **query)
    return _append(tx, clock, finding, alert)


def record_test(tx: Transaction, clock: Clock, finding: Occurrence) -> dict[str, Any]:
    """Write a device's test down as an alert that is born resolved, so that drills can be counted; nobody is paged."""
    timeline.enter(tx, finding.institution_id)
    decision = lifecycle.next(None, Raised(finding.type, finding.severity, finding.device_key), clock.now())
    alert = _insert(tx, clock, finding, decision, plan=[])
    if alert is None:  # an open alert of type "test" can only come from outside; let it have the occurrence
        query = {"institution_id": finding.institution_id, "subject": finding.subject, "type": finding.type}
        return _append(tx, clock, finding, tx.one("alerts.lock_current", **query))
    timeline.add(tx, clock, alert, Kind.OPENED, "设备测试 / Device test", data={"evidence": finding.evidence})
    alert.update(state=AlertState.RESOLVED, outcome=Outcome.TEST, resolved_at=clock.now(), deadline_at=None)
    row = _save(tx, alert)
    timeline.add(tx, clock, row, Kind.RESOLVED, "测试，自动归档 / Test, filed", data={"outcome": Outcome.TEST})
    return row


def act(
    tx: Transaction,
    clock: Clock,
    *,
    alert_id: UUID,
    action: Action | str,
    actor: Actor,
    outcome: Outcome | str | None = None,
    note: str = "",
    expected_version: int | None = None,
) -> dict[str, Any]:
    """Do what a person asks; the alert's row with two more keys, `changed` and `reason`.

    Raises NotFound, BadTransition when the state forbids it, BadInput when `resolve` lacks its outcome, Conflict when
    `expected_version` is not the present one.
    """
    action = Action(action)
    known = tx.one("alerts.institution_of", id=alert_id)
    timeline.enter(tx, known["institution_id"])
    alert = tx.one("alerts.lock", id=alert_id)
    if expected_version is not None and expected_version != alert["version"]:
        raise Conflict(f"the alert is at version {alert['version']}, not {expected_version}")
    trigger = Act(action, Outcome(outcome) if outcome else None)
    decision = lifecycle.next(_snapshot(alert), trigger, clock.now())
    if not decision.changed:
        return {**alert, "changed": False, "reason": decision.reason}
    before = alert["state"]
    _apply_action(alert, decision, actor, clock.now())
    row = _save(tx, alert)
    names = REASON_NAMES[decision.reason]
    data: dict[str, Any] = {"from": before, "to": row["state"], "role": actor.role}
    if decision.outcome and action is Action.RESOLVE:
        data["outcome"] = decision.outcome
    text = note or f"{names.zh} / {names.en}"
    timeline.add(tx, clock, row, _ENTRY[action], text, actor_id=actor.id, actor=actor.name, data=data)
    if Effect.CANCEL_STEPS in decision.effects:
        _cancel_steps(tx, clock, row, decision.reason)
    if Effect.NEXT_STEP in decision.effects:
        escalation.run_next(tx, clock, row)
    if row["state"] != before:
        _tell_others(tx, clock, row, actor, answered=before == AlertState.OPEN)
    return {**row, "changed": True, "reason": decision.reason}


def seen(tx: Transaction, clock: Clock, *, alert_id: UUID, user_id: UUID, by: Literal["app", "link"] = "app") -> int:
    """Somebody has looked at an alert: their pages about it are seen, and the timeline says so; how many pages were."""
    if not tx.all("outbox.unseen_by", alert_id=alert_id, user_id=user_id):
        return 0
    known = tx.one("alerts.institution_of", id=alert_id)
    timeline.enter(tx, known["institution_id"])
    pages = tx.all("outbox.unseen_by", alert_id=alert_id, user_id=user_id)
    return mark_seen(tx, clock, {"id": alert_id, **known}, pages, by)


def mark_seen(
    tx: Transaction, clock: Clock, alert: dict[str, Any], pages: list[dict[str, Any]], by: Literal["app", "link"]
) -> int:
    """Mark pages of one person as seen; how many were not yet."""
    timeline.enter(tx, alert["institution_id"])
    count = tx.run("outbox.mark_seen", ids=[page["id"] for page in pages], now=clock.now(), seen_by=by)
    if count:
        name = pages[0]["recipient_name"]
        through = Names("通过链接", "through the link") if by == "link" else Names("在平台上", "in the app")
        note = f"{name} 已{through.zh}查看 / Seen by {name} {through.en}"
        timeline.add(tx, clock, alert, Kind.SEEN, note, data={"recipient": name, "by": by})
    return count


def _tell_others(tx: Transaction, clock: Clock, alert: dict[str, Any], actor: Actor, *, answered: bool) -> None:
    """The family hears who responds. Where the family itself does, the house hears that, and stays responsible."""
    updates.tell(tx, clock, alert, actor.name, author_id=actor.id, author=actor.recipient)
    if answered and actor.role == Role.FAMILY:
        about = Names(
            f"家属 {actor.name} 已响应，请核实并配合", f"{actor.name} of the family has answered; please follow up"
        )
        for whom in ("on_duty", "desk"):
            escalation.page(tx, clock, alert, Run(f"family-{whom}", whom, alert["occurrences"], about=about))


def _insert(
    tx: Transaction,
    clock: Clock,
    finding: Occurrence,
    decision: Decision,
    plan: list[dict[str, Any]] | None = None,
) -> dict[str, Any] | None:
    """The new alert's row, or None where the subject has an open one of this type."""
    if plan is None:
        building = place_of(tx, finding.institution_id, finding.resident_id).building
        plan = plan_for(tx, finding.institution_id, finding.type, finding.severity, building)
    evidence = {**finding.evidence, "raised_by": sorted(decision.raised_by)}
    if finding.test:
        evidence["test"] = True
    return tx.first(
        "alerts.open",
        id=new_id(clock),
        institution_id=finding.institution_id,
        resident_id=finding.resident_id,
        device_key=finding.device_key,
        place=finding.place,
        type=finding.type,
        severity=finding.severity,
        source=finding.source,
        score=finding.score,
        evidence=evidence,
        plan=Jsonb(plan),
        occurred_at=finding.occurred_at,
        opened_at=clock.now(),
        deadline_at=decision.deadline_at,
    )


def _begin(tx: Transaction, clock: Clock, finding: Occurrence, alert: dict[str, Any]) -> dict[str, Any]:
    """The first entry, the frozen steps, and the pages of those that are due at once."""
    names = type_names(alert["type"])
    note = f"{names.zh} / {names.en}" + (f"（{finding.note}）" if finding.note else "")
    timeline.add(tx, clock, alert, Kind.OPENED, note, data=_told(finding))
    escalation.freeze(tx, clock, alert, alert["plan"])
    escalation.run_due(tx, clock, alert)
    return alert


def _append(tx: Transaction, clock: Clock, finding: Occurrence, alert: dict[str, Any]) -> dict[str, Any]:
    trigger = Raised(finding.type, finding.severity, finding.device_key)
    decision = lifecycle.next(_snapshot(alert), trigger, clock.now())
    alert.update(
        severity=decision.severity,
        occurrences=alert["occurrences"] + 1,
        last_occurred_at=max(alert["last_occurred_at"], finding.occurred_at),
        cleared_at=None,
        deadline_at=decision.deadline_at,
        evidence={**alert["evidence"], "raised_by": sorted(decision.raised_by)},
    )
    # A call in earnest while a drill is open makes the alert one in earnest, and is told as such.
    in_earnest = alert["evidence"].get("test") is True and not finding.test
    if in_earnest:
        del alert["evidence"]["test"]
    extra: list[dict[str, Any]] = []
    if Effect.EXTEND_PLAN in decision.effects:
        building = place_of(tx, alert["institution_id"], alert["resident_id"]).building
        full = plan_for(tx, alert["institution_id"], alert["type"], Severity(alert["severity"]), building)
        extra = [step for step in full if step["after_seconds"] > 0]
        alert["plan"] = [*alert["plan"], *extra]
    row = _save(tx, alert)
    names = REASON_NAMES[decision.reason]
    note = f"{names.zh} / {names.en}" + (f"（{finding.note}）" if finding.note else "")
    data = {**_told(finding), "occurrence": row["occurrences"], "reason": decision.reason}
    timeline.add(tx, clock, row, Kind.OCCURRED, note, data=data)
    if extra and row["state"] == AlertState.OPEN:
        last = tx.one("escalation.last_position", alert_id=row["id"])["position"]
        escalation.freeze(tx, clock, row, extra, begin=last + 1)
    if in_earnest or Effect.REPAGE in decision.effects:
        _repage(tx, clock, row, names)
    return row


def _repage(tx: Transaction, clock: Clock, alert: dict[str, Any], about: Names) -> None:
    """Page the first step again for the new occurrence, and whoever has taken the alert on."""
    first = alert["plan"][0]["whom"] if alert["plan"] else "on_duty"
    told = escalation.page(tx, clock, alert, Run(0, first, occurrence=alert["occurrences"], about=about))
    answering = alert["on_site_by"] or alert["acknowledged_by"]
    if answering is not None and not any(recipient.user_id == answering for recipient in told):
        run = Run("answering", f"user:{answering}", occurrence=alert["occurrences"], about=about)
        escalation.page(tx, clock, alert, run)


def _clear(tx: Transaction, clock: Clock, finding: Occurrence) -> dict[str, Any] | None:
    query = {"institution_id": finding.institution_id, "subject": finding.subject, "type": finding.type}
    alert = tx.first("alerts.lock_current", **query)
    if alert is None:
        return None
    decision = lifecycle.next(_snapshot(alert), Cleared(finding.device_key), clock.now())
    alert["evidence"] = {**alert["evidence"], "raised_by": sorted(decision.raised_by)}
    if not decision.raised_by:
        alert["cleared_at"] = finding.occurred_at
    if decision.state is AlertState.RESOLVED:
        alert.update(state=decision.state, outcome=decision.outcome, resolved_at=clock.now(), deadline_at=None)
    row = _save(tx, alert)
    names = REASON_NAMES[decision.reason]
    timeline.add(tx, clock, row, Kind.CLEARED, f"{names.zh} / {names.en}", data=_told(finding))
    if decision.state is AlertState.RESOLVED:
        data = {"outcome": decision.outcome, "reason": names.en}
        timeline.add(tx, clock, row, Kind.RESOLVED, f"{names.zh} / {names.en}", data=data)
        _cancel_steps(tx, clock, row, decision.reason)
    return row


def _apply_action(alert: dict[str, Any], decision: Decision, actor: Actor, now: datetime) -> None:
    """Put a decision into the row. Whoever arrives or resolves first has thereby also answered."""
    before = AlertState(alert["state"])
    alert["state"], alert["deadline_at"] = decision.state, decision.deadline_at
    if decision.state == before:
        return
    if before is AlertState.OPEN:
        alert["acknowledged_at"], alert["acknowledged_by"] = now, actor.id
    if decision.state is AlertState.ON_SITE:
        alert["on_site_at"], alert["on_site_by"] = now, actor.id
    if decision.state is AlertState.RESOLVED:
        alert["resolved_at"], alert["resolved_by"], alert["outcome"] = now, actor.id, decision.outcome


def _cancel_steps(tx: Transaction, clock: Clock, alert: dict[str, Any], reason: Reason) -> None:
    count = tx.run("escalation.cancel_steps", alert_id=alert["id"], now=clock.now(), reason=reason)
    if count:
        note = f"取消其余 {count} 个升级步骤 / {count} further steps cancelled"
        timeline.add(tx, clock, alert, Kind.CANCELLED, note, data={"steps": count, "reason": reason})


def _save(tx: Transaction, alert: dict[str, Any]) -> dict[str, Any]:
    row = tx.first("alerts.save", **{**alert, "plan": Jsonb(alert["plan"])})
    if row is None:
        raise Conflict("the alert was changed by somebody else in the meantime")
    return row


def _snapshot(alert: dict[str, Any]) -> Snapshot:
    return Snapshot(
        alert["type"],
        Severity(alert["severity"]),
        AlertState(alert["state"]),
        alert["deadline_at"],
        Outcome(alert["outcome"]) if alert["outcome"] else None,
        frozenset(alert["evidence"].get("raised_by", ())),
    )


def _told(finding: Occurrence) -> dict[str, Any]:
    """What the timeline keeps of an occurrence."""
    return {
        "occurred_at": timeline.stamp(finding.occurred_at),
        "severity": finding.severity,
        "device_key": finding.device_key,
        "score": finding.score,
        "evidence": finding.evidence,
    }
