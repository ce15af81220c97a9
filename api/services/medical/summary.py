"""The summary that goes with a referral: a resident enters, conditions, last vital signs and recent alerts leave."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from core.metrics import BY_ID
from db.tenant import Transaction

ALERT_DAYS: Final = 30
VITAL_KINDS: Final = ("vital",)


def summary_of(tx: Transaction, resident: UUID, now: datetime) -> dict[str, Any]:
    """Plain JSON. Raises NotFound where there is no such resident."""
    person = tx.one("residents.get", resident=resident)
    alerts = tx.all("referrals.recent_alerts", resident=resident, since=now - timedelta(days=ALERT_DAYS))
    vitals = tx.all("readings.latest", resident=resident, metrics=_vitals())
    return {
        "name": person["name"],
        "sex": person["sex"],
        "birth_date": person["birth_date"].isoformat(),
        "care_level": person["care_level"],
        "conditions": person["conditions"],
        "medication": person["medication"],
        "vitals": [
            {
                "metric": BY_ID[row["metric"]].code,
                "value": round(row["value"], 2),
                "unit": BY_ID[row["metric"]].unit,
                "at": row["time"].isoformat(),
            }
            for row in vitals
        ],
        "alerts": [
            {"type": row["type"], "at": row["occurred_at"].isoformat(), "outcome": row["outcome"] or ""}
            for row in alerts
        ],
    }


def _vitals() -> list[int]:
    return [metric.id for metric in BY_ID.values() if metric.kind in VITAL_KINDS]
