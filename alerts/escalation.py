"""Escalation: an alert and its plan enter, steps with due times and pages to the people meant leave.

A plan is a list of steps (after_seconds, whom). It is copied into the alert when the alert opens, so that a later
edit never changes a running case. A step runs once: it resolves whom it means at that moment, writes one page per
recipient and says on the timeline who was paged, who was left out and why.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from alerts import timeline
from alerts.lifecycle import REPAGING_TYPES, is_urgent
from alerts.notify import message
from alerts.timeline import Kind
from core.clock import Clock
from core.errors import BadInput
from core.ids import new_id
from core.vocabulary import Names, Severity
from db.pool import Pool
from db.tenant import Transaction, service_transaction

STEPS_MAX = 20
AFTER_SECONDS_MAX = 3600
LAST_RESORT_SECONDS_MAX = 900
"""The duty desk or everyone must be reached within this time, whatever else a plan says."""
PAGES_PER_MINUTE_MAX = 6
"""Pages that leave the house for one recipient; the first of an emergency is never held back."""

_WHOM = re.compile(r"on_duty|desk|everyone|contact:([1-9]|1\d|20)|user:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
DESK_NAME = "值班台"


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody to page. `key` is stable: `user:<id>`, `contact:<id>` or `desk`."""

    key: str
    name: str
    user_id: UUID | None = None
    contact_id: UUID | None = None

    @property
    def has_console(self) -> bool:
        """Whether they see pages in the product itself: accounts and the desk do."""
        return self.contact_id is None or self.user_id is not None


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a step: which row and position it is, for which occurrence, and why it runs."""

    position: int | str
    whom: str
    occurrence: int = 1
    step_id: UUID | None = None
    about: Names | None = None


def default_plan() -> list[dict[str, Any]]:
    """The plan of an institution that has made none: on duty, family, desk and everyone, everyone again."""
    return [
        {"after_seconds": 0, "whom": "on_duty"},
        {"after_seconds": 60, "whom": "contact:1"},
        {"after_seconds": 60, "whom": "on_duty"},
        {"after_seconds": 180, "whom": "desk"},
        {"after_seconds": 180, "whom": "everyone"},
        {"after_seconds": 600, "whom": "everyone"},
    ]


def validate_plan(steps: Sequence[Any]) -> list[dict[str, Any]]:
    """Check a plan and bring it into order of time.

    Raises BadInput for an empty plan, a step that is not (after_seconds, whom), one that could never be reached or
    repeats another, a plan that does not begin at once, or one that does not reach desk or everyone in time.
    """
    if not isinstance(steps, list) or not steps:
        raise BadInput("a plan needs at least one step; an empty one would page nobody")
    if len(steps) > STEPS_MAX:
        raise BadInput(f"a plan has at most {STEPS_MAX} steps, this one has {len(steps)}")
    checked = sorted((_checked_step(step) for step in steps), key=lambda step: step["after_seconds"])
    if len({(step["after_seconds"], step["whom"]) for step in checked}) < len(checked):
        raise BadInput("the same step stands twice in the plan")
    if checked[0]["after_seconds"] != 0:
        raise BadInput("the first step must run at once: after_seconds 0")
    ends = [step["after_seconds"] for step in checked if step["whom"] in ("desk", "everyone")]
    if not ends or ends[0] > LAST_RESORT_SECONDS_MAX:
        raise BadInput(f"the plan must reach desk or everyone within {LAST_RESORT_SECONDS_MAX} s")
    if checked[-1]["whom"] not in ("desk", "everyone"):
        raise BadInput("the last step must be desk or everyone, who are always there")
    return checked


def _checked_step(step: Any) -> dict[str, Any]:
    if not isinstance(step, dict) or set(step) != {"after_seconds", "whom"}:
        raise BadInput('a step is {"after_seconds": seconds, "whom": whom}')
    after, whom = step["after_seconds"], step["whom"]
    if isinstance(after, bool) or not isinstance(after, int) or not 0 <= after <= AFTER_SECONDS_MAX:
        raise BadInput(f"after_seconds must be a whole number from 0 to {AFTER_SECONDS_MAX}")
    if not isinstance(whom, str) or not _WHOM.fullmatch(whom):
        raise BadInput("whom must be on_duty, desk, everyone, contact:<1-20> or user:<id>")
    return {"after_seconds": after, "whom": whom}


def plan_for(tx: Transaction, institution_id: UUID, alert_type: str, severity: Severity) -> list[dict[str, Any]]:
    """The steps that a new alert freezes.

    Medium and low alerts take only the steps that run at once: they are work for the shift, and waking the family and
    the whole house for a silent sensor teaches everybody to ignore pages. Should one become urgent, the rest is added.
    """
    row = tx.first("escalation.plan_for", institution_id=institution_id, type=alert_type)
    steps: list[dict[str, Any]] = row["steps"] if row and row["steps"] else default_plan()
    if is_urgent(severity):
        return steps
    first = steps[0]["after_seconds"]
    return [step for step in steps if step["after_seconds"] == first]


def freeze(
    tx: Transaction, clock: Clock, alert: dict[str, Any], steps: Sequence[dict[str, Any]], begin: int = 0
) -> None:
    """Write the rows of a plan, due from now on; `begin` is the position of the first."""
    now = clock.now()
    for position, step in enumerate(steps, begin):
        tx.run(
            "escalation.add_step",
            id=new_id(clock),
            institution_id=alert["institution_id"],
            alert_id=alert["id"],
            position=position,
            whom=step["whom"],
            due_at=now + timedelta(seconds=step["after_seconds"]),
        )


def run_due(tx: Transaction, clock: Clock, alert: dict[str, Any]) -> int:
    """Run every due step of one alert, in order; how many. The caller holds the institution's lock."""
    done = 0
    while (step := tx.first("escalation.take_due", alert_id=alert["id"], now=clock.now())) is not None:
        run_step(tx, clock, alert, step, reason="due")
        done += 1
    return done


def run_next(tx: Transaction, clock: Clock, alert: dict[str, Any]) -> None:
    """Run the next step at once because a person asks for more help; past the last one, page everyone again."""
    step = tx.first("escalation.take_next", alert_id=alert["id"])
    if step is None:
        last = tx.one("escalation.last_position", alert_id=alert["id"])["position"]
        freeze(tx, clock, alert, [{"after_seconds": 0, "whom": "everyone"}], begin=last + 1)
        step = tx.one("escalation.take_next", alert_id=alert["id"])
    run_step(tx, clock, alert, step, reason="asked for", about=Names("有人请求增援", "More help was asked for"))


def run_step(
    tx: Transaction,
    clock: Clock,
    alert: dict[str, Any],
    step: dict[str, Any],
    *,
    reason: str,
    about: Names | None = None,
) -> None:
    """Run one step that this transaction holds and mark it done."""
    page(tx, clock, alert, Run(step["position"], step["whom"], step_id=step["id"], about=about))
    tx.run("escalation.finish_step", id=step["id"], now=clock.now(), reason=reason)


def page(tx: Transaction, clock: Clock, alert: dict[str, Any], run: Run) -> list[Recipient]:
    """Page whom a step means: outbox rows and one timeline entry; who was paged."""
    recipients = _resolve(tx, clock, alert, run.whom)
    if not recipients:
        return []
    context = tx.one("alerts.context", id=alert["id"])
    for recipient in recipients:
        _write_pages(tx, clock, alert, run, recipient, context)
    names = "、".join(recipient.name for recipient in recipients)
    note = f"已通知 {names} / Paged {names}"
    data = {
        "step": run.position,
        "whom": run.whom,
        "occurrence": run.occurrence,
        "recipients": [{"key": r.key, "name": r.name} for r in recipients],
    }
    timeline.add(tx, clock, alert, Kind.PAGED, note, data=data)
    tx.run("outbox.wake")
    return recipients


def _resolve(tx: Transaction, clock: Clock, alert: dict[str, Any], whom: str) -> list[Recipient]:
    """Whom a word means now. Nobody is never the silent answer: either somebody else is meant, or an entry says why."""
    institution_id = alert["institution_id"]
    if whom == "desk":
        return [Recipient("desk", DESK_NAME)]
    if whom.startswith("contact:"):
        return _contact(tx, clock, alert, int(whom.partition(":")[2]))
    if whom == "on_duty":
        found = _users(tx.all("escalation.on_duty", institution_id=institution_id))
        missing = Names("无人在岗", "Nobody is on duty")
    elif whom.startswith("user:"):
        rows = tx.all("escalation.one_user", institution_id=institution_id, id=UUID(whom.partition(":")[2]))
        found, missing = _users(rows), Names("指定人员的账号已停用", "The named account is not active")
    else:
        found, missing = [], Names("", "")
    if found or whom == "everyone":
        return found or _everyone(tx, clock, alert)
    note = f"{missing.zh}，改为通知全体人员 / {missing.en}; paging everyone"
    timeline.add(tx, clock, alert, Kind.NOBODY, note, data={"whom": whom})
    return _everyone(tx, clock, alert)


def _everyone(tx: Transaction, clock: Clock, alert: dict[str, Any]) -> list[Recipient]:
    found = _users(tx.all("escalation.everyone", institution_id=alert["institution_id"]))
    if not found:
        note = "机构没有可用账号，改为通知值班台 / No active account; paging the duty desk"
        timeline.add(tx, clock, alert, Kind.NOBODY, note, data={"whom": "everyone"})
        return [Recipient("desk", DESK_NAME)]
    return found


def _users(rows: list[dict[str, Any]]) -> list[Recipient]:
    return [Recipient(f"user:{row['id']}", row["name"], user_id=row["id"]) for row in rows]


def _contact(tx: Transaction, clock: Clock, alert: dict[str, Any], position: int) -> list[Recipient]:
    """A family contact, if there is one, they may be told, and there is a way to reach them."""
    row = None
    if alert["resident_id"] is not None:
        row = tx.first("escalation.contact", resident_id=alert["resident_id"], position=position)
    if row is None:
        return _skip(tx, clock, alert, position, "no_contact", Names("没有此联系人", "no such contact"))
    name, user_id = row["name"], row["user_id"]
    if row["consented"] is False:
        why = Names(f"{name} 未获老人的报警信息授权", f"{name} has no consent for alerts")
        return _skip(tx, clock, alert, position, "no_consent", why)
    if row["disabled"]:
        why = Names(f"{name} 的账号已停用", f"the account of {name} is disabled")
        return _skip(tx, clock, alert, position, "disabled", why)
    channels = tx.all(
        "escalation.channels", institution_id=alert["institution_id"], user_id=user_id, contact_id=row["id"]
    )
    if user_id is None and not channels:
        why = Names(f"{name} 没有通知渠道，请致电 {row['phone']}", f"{name} has no channel; call {row['phone']}")
        return _skip(tx, clock, alert, position, "no_channel", why)
    return [Recipient(f"contact:{row['id']}", name, user_id=user_id, contact_id=row["id"])]


def _skip(
    tx: Transaction, clock: Clock, alert: dict[str, Any], position: int, reason: str, why: Names
) -> list[Recipient]:
    note = f"未通知家属{position}：{why.zh} / Family contact {position} skipped: {why.en}"
    timeline.add(tx, clock, alert, Kind.SKIPPED, note, data={"whom": f"contact:{position}", "reason": reason})
    return []


def _write_pages(
    tx: Transaction, clock: Clock, alert: dict[str, Any], run: Run, recipient: Recipient, context: dict[str, Any]
) -> None:
    """The page in the product, and the first channel; further channels follow when that one fails."""
    channels = tx.all(
        "escalation.channels",
        institution_id=alert["institution_id"],
        user_id=recipient.user_id,
        contact_id=recipient.contact_id,
    )
    if recipient.has_console or not channels:
        text = message.compose(alert, context, public=False, about=run.about)
        add_page(tx, clock, alert, run, recipient, None, text)
    if channels:
        text = message.compose(alert, context, public=channels[0]["is_public"], about=run.about)
        held = _over_cap(tx, clock, alert, run, recipient)
        added = add_page(tx, clock, alert, run, recipient, channels[0], text, held_back=held)
        if held and added:
            note = f"{recipient.name} 一分钟内通知过多，本次未发出 / Held back: too many pages a minute"
            data = {"recipient": recipient.key, "reason": "rate_cap", "per_minute": PAGES_PER_MINUTE_MAX}
            timeline.add(tx, clock, alert, Kind.SUPPRESSED, note, data=data)


def add_page(
    tx: Transaction,
    clock: Clock,
    alert: dict[str, Any],
    run: Run,
    recipient: Recipient,
    channel: dict[str, Any] | None,
    text: dict[str, Any],
    *,
    held_back: bool = False,
) -> bool:
    """Write one outbox row unless its idempotency key is there already; whether it was written."""
    channel_id = channel["id"] if channel else None
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
        state="cancelled" if held_back else "pending",
        last_error="rate_cap" if held_back else "",
        now=clock.now(),
    )
    return row is not None


def _over_cap(tx: Transaction, clock: Clock, alert: dict[str, Any], run: Run, recipient: Recipient) -> bool:
    """Whether one more page would be too many. An emergency is measured by itself: no flood of others silences it."""
    emergency = alert["type"] in REPAGING_TYPES or alert["severity"] == Severity.CRITICAL
    if emergency and run.position == 0 and run.occurrence == 1:
        return False
    recent = tx.one(
        "outbox.recent_pages",
        institution_id=alert["institution_id"],
        recipient=recipient.key,
        since=clock.now() - timedelta(seconds=60),
        alert_id=alert["id"] if emergency else None,
    )
    return int(recent["n"]) >= PAGES_PER_MINUTE_MAX


def tick(pool: Pool, clock: Clock) -> int:
    """Run every due step of every open alert, each alert in a transaction of its own; how many steps.

    After a crash or an hour away the steps that fell due run at once, in their order, once. Raises Unavailable when
    the database is away.
    """
    with service_transaction(pool) as tx:
        waiting = tx.all("escalation.due", now=clock.now())
    done = 0
    for row in waiting:
        with service_transaction(pool) as tx:
            timeline.enter(tx, row["institution_id"])
            alert = tx.one("alerts.lock", id=row["alert_id"])
            done += run_due(tx, clock, alert)
    return done
