"""What the family hears while somebody responds: an action on an alert enters, updates to who was paged leave."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from alerts import pages, recipients
from alerts.notify.message import local_time
from alerts.pages import Run
from core.clock import Clock
from core.vocabulary import OUTCOME_NAMES, AlertState, Names, Outcome
from db.tenant import Transaction


def tell(
    tx: Transaction,
    clock: Clock,
    alert: dict[str, Any],
    actor_name: str,
    *,
    author_id: UUID | None = None,
    author: str = "",
) -> int:
    """Tell every contact who was paged for this alert how it stands now; how many were told.

    author_id, author: the account, or the recipient key, of who acted and need not be told. A contact who wants no
    updates, or whose consent has ended, gets none; quiet hours hold updates back as they do pages, so never those of
    an urgent alert.
    """
    told = [row for row in tx.all("outbox.told_contacts", alert_id=alert["id"]) if row["recipient"] != author]
    if not told:
        return 0
    context = tx.one("alerts.context", id=alert["id"])
    run = Run(f"update-{alert['state']}", "", about=_news(alert, context, actor_name), purpose="update")
    count = 0
    for row in told:
        contact = tx.first("escalation.contact_by_id", id=row["recipient"].partition(":")[2])
        if contact is None or not contact["wants_updates"] or recipients.refused(contact) is not None:
            continue
        if author_id is not None and contact["user_id"] == author_id:
            continue
        pages.write(tx, clock, alert, run, recipients.contact_of(contact, clock.now()), context)
        count += 1
    if count:
        tx.run("outbox.wake")
    return count


def _news(alert: dict[str, Any], context: dict[str, Any], actor: str) -> Names:
    """Who is responding, since when, how it ended."""
    state = AlertState(alert["state"])
    moment = {
        AlertState.ACKNOWLEDGED: alert["acknowledged_at"],
        AlertState.ON_SITE: alert["on_site_at"],
        AlertState.RESOLVED: alert["resolved_at"],
    }[state]
    at = local_time(moment, context["timezone"])
    if state is AlertState.ACKNOWLEDGED:
        return Names(f"{actor} {at} 已响应，正在处理", f"{actor} answered at {at} and is taking care of it")
    if state is AlertState.ON_SITE:
        return Names(f"{actor} {at} 已到场", f"{actor} has been on site since {at}")
    outcome = OUTCOME_NAMES[Outcome(alert["outcome"])]
    return Names(f"{actor} {at} 已解除：{outcome.zh}", f"closed by {actor} at {at}: {outcome.en}")
