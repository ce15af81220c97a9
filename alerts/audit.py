"""The watch over the watchers: alerts past a deadline and steps that never ran enter, a page to the duty desk leaves.

Once for each deadline: the entry on the timeline is the record, and it is written in the page's transaction.
"""

from __future__ import annotations

from datetime import timedelta

from alerts import escalation, timeline
from alerts.pages import Run
from alerts.timeline import Kind
from core.clock import Clock
from core.vocabulary import AlertState, Names
from db.pool import Pool
from db.tenant import service_transaction

STUCK_SECONDS = 30.0
_MISSED: dict[AlertState, Names] = {
    AlertState.OPEN: Names("超时未响应", "Not answered in time"),
    AlertState.ACKNOWLEDGED: Names("已响应但超时未到场", "Answered, but nobody on site in time"),
    AlertState.ON_SITE: Names("已到场但超时未解除", "On site, but not resolved in time"),
}


def audit(pool: Pool, clock: Clock) -> int:
    """Look once; how many alerts or steps the desk was told about. Raises Unavailable when the database is away."""
    with service_transaction(pool) as tx:
        overdue = tx.all("alerts.overdue", now=clock.now())
        stuck = tx.all("escalation.stuck", before=clock.now() - timedelta(seconds=STUCK_SECONDS))
    told = sum(_tell_overdue(pool, clock, row) for row in overdue)
    return told + sum(_tell_stuck(pool, clock, row) for row in stuck)


def _tell_overdue(pool: Pool, clock: Clock, found: dict[str, object]) -> bool:
    with service_transaction(pool) as tx:
        timeline.enter(tx, found["institution_id"])  # type: ignore[arg-type]  # a row's column
        alert = tx.one("alerts.lock", id=found["id"])
        deadline = alert["deadline_at"]
        if deadline is None or deadline >= clock.now():
            return False
        word = timeline.stamp(deadline)
        if tx.one("alerts.told_overdue", alert_id=alert["id"], deadline_at=word)["n"]:
            return False
        names = _MISSED[AlertState(alert["state"])]
        data = {"deadline_at": word, "state": alert["state"]}
        timeline.add(tx, clock, alert, Kind.OVERDUE, f"{names.zh} / {names.en}", data=data)
        # The deadline is part of the key: each deadline of a state that is entered once pages the desk once.
        escalation.page(tx, clock, alert, Run(f"overdue-{alert['state']}", "desk", alert["occurrences"], about=names))
        return True


def _tell_stuck(pool: Pool, clock: Clock, found: dict[str, object]) -> bool:
    with service_transaction(pool) as tx:
        timeline.enter(tx, found["institution_id"])  # type: ignore[arg-type]  # a row's column
        step_id = str(found["id"])
        alert = tx.one("alerts.lock", id=found["alert_id"])
        if alert["state"] != AlertState.OPEN or tx.one("alerts.told_stuck", alert_id=alert["id"], step_id=step_id)["n"]:
            return False
        names = Names("升级步骤未按时执行", "An escalation step did not run in time")
        data = {"step_id": step_id, "position": found["position"]}
        timeline.add(tx, clock, alert, Kind.STUCK, f"{names.zh} / {names.en}", data=data)
        escalation.page(tx, clock, alert, Run(f"stuck-{found['position']}", "desk", about=names))
        return True
