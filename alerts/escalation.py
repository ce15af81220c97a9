"""Escalation: an alert and its plan enter, steps with due times and pages to the people meant leave.

A plan is a list of steps (after_seconds, whom). It is copied into the alert when the alert opens, so that a later
edit never changes a running case. A step runs once: it resolves whom it means at that moment, writes one page per
recipient and says on the timeline who was paged, who was left out and why.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from alerts import pages, recipients, timeline
from alerts.pages import Run
from alerts.recipients import Recipient
from alerts.timeline import Kind
from core.clock import Clock
from core.ids import new_id
from core.vocabulary import Names
from db.pool import Pool
from db.tenant import Transaction, service_transaction


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
    found = recipients.resolve(tx, clock.now(), recipients.where_of(tx, alert), _within(tx, clock, alert, run.whom))
    for note in found.notes:
        timeline.add(tx, clock, alert, note.kind, note.text, data=note.data)
    if not found.recipients:
        return []
    context = tx.one("alerts.context", id=alert["id"])
    for recipient in found.recipients:
        pages.write(tx, clock, alert, run, recipient, context)
    names = "、".join(recipient.name for recipient in found.recipients)
    note_text = f"已通知 {names} / Paged {names}"
    data = {
        "step": run.position,
        "whom": run.whom,
        "occurrence": run.occurrence,
        "recipients": [{"key": r.key, "name": r.name} for r in found.recipients],
    }
    timeline.add(tx, clock, alert, Kind.PAGED, note_text, data=data)
    tx.run("outbox.wake")
    return found.recipients


def _within(tx: Transaction, clock: Clock, alert: dict[str, Any], whom: str) -> str:
    """Whom a step means; nobody from outside for a drill, of which the desk hears instead."""
    if whom != "rescue" or not alert["evidence"].get("test"):
        return whom
    note = "演练：未呼叫外部救援，改为通知值班台 / A drill: rescue is not called, the desk is told"
    timeline.add(tx, clock, alert, Kind.SKIPPED, note, data={"whom": whom, "reason": "drill"})
    return "desk"


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
