"""The life of an alert: its present state and what happened enter, the next state with the reason and effects leaves.

Pure: no clock, no database. An alert only moves down open → acknowledged → on_site → resolved. What is late or said
twice is answered with a reason and changes nothing; what is impossible raises BadTransition.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from core.errors import BadInput, BadTransition
from core.vocabulary import EMERGENCY_TYPES, TECHNICAL_TYPES, AlertState, Names, Outcome, Severity

REPAGING_TYPES = EMERGENCY_TYPES
"""A new occurrence of one of these pages again, whoever has answered before."""

SELF_RESOLVING_TYPES = TECHNICAL_TYPES
"""Technical conditions that end by themselves; nothing that concerns a person ever does."""

_ORDER = {state: rank for rank, state in enumerate(AlertState)}
_URGENCY = {severity: rank for rank, severity in enumerate(Severity)}


class Action(StrEnum):
    """What a person can do with an alert."""

    ACKNOWLEDGE = "acknowledge"
    ARRIVE = "arrive"
    RESOLVE = "resolve"
    ESCALATE = "escalate"
    COMMENT = "comment"


class Effect(StrEnum):
    """What has to be done beside storing the new state."""

    OPEN = "open"
    APPEND = "append"
    REPAGE = "repage"
    EXTEND_PLAN = "extend_plan"
    CANCEL_STEPS = "cancel_steps"
    NEXT_STEP = "next_step"
    MARK_CLEARED = "mark_cleared"
    COMMENT = "comment"


class Reason(StrEnum):
    """Why the decision is as it is; stable words, with names for people in `REASON_NAMES`."""

    OPENED = "opened"
    OCCURRED_AGAIN = "occurred_again"
    EMERGENCY_AGAIN = "emergency_again"
    GOT_WORSE = "got_worse"
    CLEARED = "cleared"
    CONDITION_CLEARED = "condition_cleared"
    NOTHING_OPEN = "nothing_open"
    ACKNOWLEDGED = "acknowledged"
    ARRIVED = "arrived"
    RESOLVED = "resolved"
    ESCALATED = "escalated"
    COMMENTED = "commented"
    ALREADY_ACKNOWLEDGED = "already_acknowledged"
    ALREADY_ON_SITE = "already_on_site"
    ALREADY_RESOLVED = "already_resolved"


REASON_NAMES: dict[Reason, Names] = {
    Reason.OPENED: Names("报警开启", "Alert opened"),
    Reason.OCCURRED_AGAIN: Names("再次发生", "Happened again"),
    Reason.EMERGENCY_AGAIN: Names("紧急情况再次发生，重新通知", "Emergency again, paging again"),
    Reason.GOT_WORSE: Names("情况加重，重新通知", "Got worse, paging again"),
    Reason.CLEARED: Names("设备报告已恢复，仍需人工确认", "Condition cleared; a person still has to close it"),
    Reason.CONDITION_CLEARED: Names("故障已恢复，系统关闭", "condition cleared"),
    Reason.NOTHING_OPEN: Names("没有未解除的报警", "No open alert"),
    Reason.ACKNOWLEDGED: Names("已响应", "Acknowledged"),
    Reason.ARRIVED: Names("已到场", "Arrived on site"),
    Reason.RESOLVED: Names("已解除", "Resolved"),
    Reason.ESCALATED: Names("请求增援", "Escalated by a person"),
    Reason.COMMENTED: Names("备注", "Comment"),
    Reason.ALREADY_ACKNOWLEDGED: Names("此前已响应，无变化", "Already acknowledged; nothing changed"),
    Reason.ALREADY_ON_SITE: Names("此前已到场，无变化", "Already on site; nothing changed"),
    Reason.ALREADY_RESOLVED: Names("此前已解除，无变化", "Already resolved; nothing changed"),
}


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long an alert may stay in a state before the auditor tells the desk, seconds.

    Medium and low alerts are work for the shift, not a call: their answer may take longer.
    """

    answer: float = 180
    answer_calm: float = 3600
    arrive: float = 45 * 60
    resolve: float = 4 * 3600

    def after(self, state: AlertState, severity: Severity, now: datetime) -> datetime | None:
        """The deadline of a state that begins now; None once resolved."""
        if state is AlertState.RESOLVED:
            return None
        answer = self.answer if is_urgent(severity) else self.answer_calm
        seconds = {AlertState.OPEN: answer, AlertState.ACKNOWLEDGED: self.arrive, AlertState.ON_SITE: self.resolve}
        return now + timedelta(seconds=seconds[state])


DEADLINES = Deadlines()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What of an alert the decision depends on. `raised_by`: devices on which the condition still holds."""

    type: str
    severity: Severity
    state: AlertState
    deadline_at: datetime | None = None
    outcome: Outcome | None = None
    raised_by: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Raised:
    """A condition began or an event arrived."""

    type: str
    severity: Severity
    device_key: int | None = None


@dataclass(frozen=True, slots=True)
class Cleared:
    """A condition ended, as far as one device can tell."""

    device_key: int | None = None


@dataclass(frozen=True, slots=True)
class Act:
    """A person did something."""

    action: Action
    outcome: Outcome | None = None


Trigger = Raised | Cleared | Act


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of the alert. `effects` empty means that nothing changes."""

    state: AlertState | None
    reason: Reason
    effects: tuple[Effect, ...] = ()
    severity: Severity | None = None
    deadline_at: datetime | None = None
    outcome: Outcome | None = None
    raised_by: frozenset[int] = field(default_factory=frozenset)

    @property
    def changed(self) -> bool:
        """Whether there is anything to store."""
        return bool(self.effects) or self.reason in _CHANGING


_CHANGING = frozenset({Reason.ARRIVED, Reason.RESOLVED, Reason.CONDITION_CLEARED})


def is_urgent(severity: Severity) -> bool:
    """Critical and high: calls that a person waits on."""
    return _URGENCY[severity] <= _URGENCY[Severity.HIGH]


def is_worse(severity: Severity, than: Severity) -> bool:
    """Whether a severity is more urgent than another."""
    return _URGENCY[severity] < _URGENCY[than]


def next(  # noqa: A001 -- the name of the thing: lifecycle.next
    alert: Snapshot | None, trigger: Trigger, now: datetime, deadlines: Deadlines = DEADLINES
) -> Decision:
    """Decide. `alert` is the unresolved alert of the same subject and type, or the one acted upon, or None.

    Raises BadTransition for an action that the state forbids, BadInput for one that lacks its outcome.
    """
    if isinstance(trigger, Raised):
        return _raised(alert, trigger, now, deadlines)
    if isinstance(trigger, Cleared):
        return _cleared(alert, trigger)
    if alert is None:
        raise BadTransition("there is no alert to act upon")
    return _acted(alert, trigger, now, deadlines)


def _raised(alert: Snapshot | None, trigger: Raised, now: datetime, deadlines: Deadlines) -> Decision:
    devices = frozenset() if trigger.device_key is None else frozenset({trigger.device_key})
    if alert is None or alert.state is AlertState.RESOLVED:
        deadline = deadlines.after(AlertState.OPEN, trigger.severity, now)
        return Decision(AlertState.OPEN, Reason.OPENED, (Effect.OPEN,), trigger.severity, deadline, None, devices)
    effects, reason, deadline = [Effect.APPEND], Reason.OCCURRED_AGAIN, alert.deadline_at
    if trigger.type in REPAGING_TYPES:
        effects.append(Effect.REPAGE)
        reason = Reason.EMERGENCY_AGAIN
    if is_worse(trigger.severity, alert.severity):
        if Effect.REPAGE not in effects:
            effects.append(Effect.REPAGE)
            reason = Reason.GOT_WORSE
        if is_urgent(trigger.severity) and not is_urgent(alert.severity):
            effects.append(Effect.EXTEND_PLAN)
            sooner = deadlines.after(alert.state, trigger.severity, now)
            deadline = min((d for d in (deadline, sooner) if d is not None), default=None)
    worst = trigger.severity if is_worse(trigger.severity, alert.severity) else alert.severity
    return Decision(alert.state, reason, tuple(effects), worst, deadline, None, alert.raised_by | devices)


def _cleared(alert: Snapshot | None, trigger: Cleared) -> Decision:
    if alert is None or alert.state is AlertState.RESOLVED:
        return Decision(None if alert is None else alert.state, Reason.NOTHING_OPEN)
    rest = alert.raised_by - {trigger.device_key}
    if alert.type in SELF_RESOLVING_TYPES and not rest:
        return Decision(
            AlertState.RESOLVED,
            Reason.CONDITION_CLEARED,
            (Effect.MARK_CLEARED, Effect.CANCEL_STEPS),
            alert.severity,
            None,
            Outcome.NO_ACTION,
        )
    return Decision(alert.state, Reason.CLEARED, (Effect.MARK_CLEARED,), alert.severity, alert.deadline_at, None, rest)


def _acted(alert: Snapshot, trigger: Act, now: datetime, deadlines: Deadlines) -> Decision:
    if trigger.action is Action.COMMENT:
        return _stay(alert, Reason.COMMENTED, (Effect.COMMENT,))
    if alert.state is AlertState.RESOLVED:
        return _on_resolved(alert, trigger)
    if trigger.action is Action.ESCALATE:
        return _stay(alert, Reason.ESCALATED, (Effect.NEXT_STEP,))
    if trigger.action is Action.RESOLVE:
        if trigger.outcome is None:
            raise BadInput(f"resolve needs an outcome, one of: {', '.join(Outcome)}")
        return _move(alert, AlertState.RESOLVED, Reason.RESOLVED, now, deadlines, trigger.outcome)
    if trigger.action is Action.ARRIVE:
        if alert.state is AlertState.ON_SITE:
            return _stay(alert, Reason.ALREADY_ON_SITE)
        return _move(alert, AlertState.ON_SITE, Reason.ARRIVED, now, deadlines)
    if alert.state is AlertState.OPEN:
        return _move(alert, AlertState.ACKNOWLEDGED, Reason.ACKNOWLEDGED, now, deadlines)
    later = alert.state is AlertState.ON_SITE
    return _stay(alert, Reason.ALREADY_ON_SITE if later else Reason.ALREADY_ACKNOWLEDGED)


def _on_resolved(alert: Snapshot, trigger: Act) -> Decision:
    """The same resolution told twice is a repeat; anything else comes too late, and says so."""
    if trigger.action is Action.RESOLVE and trigger.outcome in (None, alert.outcome):
        return _stay(alert, Reason.ALREADY_RESOLVED)
    raise BadTransition(f"the alert is resolved ({alert.outcome}); {trigger.action} is not possible any more")


def _stay(alert: Snapshot, reason: Reason, effects: tuple[Effect, ...] = ()) -> Decision:
    return Decision(alert.state, reason, effects, alert.severity, alert.deadline_at, alert.outcome, alert.raised_by)


def _move(
    alert: Snapshot,
    state: AlertState,
    reason: Reason,
    now: datetime,
    deadlines: Deadlines,
    outcome: Outcome | None = None,
) -> Decision:
    assert _ORDER[state] > _ORDER[alert.state]  # noqa: S101 -- the one promise of this module
    deadline = deadlines.after(state, alert.severity, now)
    return Decision(state, reason, (Effect.CANCEL_STEPS,), alert.severity, deadline, outcome, alert.raised_by)
