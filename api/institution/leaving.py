"""Somebody leaves for good, or dies: a resident enters; devices are unbound, alerts and absences ended with the reason.

The one way out, for the stay's own actions and for a change of the record itself. What was measured stays with whom it
was measured of. Service records that are still running are ended by the jobs (`api.services.platform`).
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal, NamedTuple
from uuid import UUID

from alerts.service import Action, Actor, Outcome, act
from core.clock import Clock
from core.days import local_day
from core.vocabulary import Names
from db.tenant import Transaction
from devices import registry

Gone = Literal["discharged", "deceased"]
REASONS: Final[dict[Gone, Names]] = {
    "discharged": Names("老人已退住，监护结束", "has moved out, monitoring ends"),
    "deceased": Names("老人已故，监护结束", "has died, monitoring ends"),
}
AFTER_DEATH_ENDED: Final = ("location", "activity")
"""Consents that end with a life in any case: nobody is to be found any more."""


class Left(NamedTuple):
    """What came to its end."""

    devices: list[str]
    alerts: int


def leave(tx: Transaction, clock: Clock, actor: Actor, resident: UUID, how: Gone) -> Left:
    """End what watches over a resident, in the caller's transaction; what is ended already is passed over."""
    devices = tx.all("stays.bound_devices", resident=resident)
    for device in devices:
        registry.unbind(tx, clock, device_key=device["device_key"])
    alerts = tx.all("stays.open_alerts", resident=resident)
    for alert in alerts:
        act(
            tx, clock, alert_id=alert["id"], action=Action.RESOLVE, actor=actor, outcome=Outcome.OTHER,
            note=f"{REASONS[how].zh} / {REASONS[how].en}",
        )  # fmt: skip
    tx.run("away.end", resident=resident, now=clock.now(), by=actor.name)
    tx.run("stays.end_visits", resident=resident, today=local_day(clock.now()))
    return Left([device["id"] for device in devices], len(alerts))


def close_sight(tx: Transaction, now: datetime, resident: UUID) -> int:
    """After a death: relatives keep what the law gives them unless the person wished otherwise; how many ended.

    Place and movement end; what stands goes on to be read for the relatives' own lawful interest, by those named alone,
    or by nobody, as the person wished (`wish_after_death` of the database: the one rule).
    """
    return tx.run("stays.end_consents", resident=resident, scopes=list(AFTER_DEATH_ENDED), now=now)
