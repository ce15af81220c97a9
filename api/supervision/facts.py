"""Facts for the indicators: a transaction and a time enter, counts and public facilities leave."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from api.supervision.indicators import Facts
from db.tenant import Transaction

_ZONE: Final = ZoneInfo("Asia/Shanghai")


def facts_at(tx: Transaction, at: datetime, institution: UUID | None = None) -> Facts:
    """Everything in sight, or one institution of it."""
    facilities = [row for row in tx.all("supervision.facilities") if institution in (None, row["institution_id"])]
    sums: dict[str, tuple[int, int]] = {}
    for row in tx.all("supervision.counts", at=at):
        if institution in (None, row["institution_id"]):
            one, all_ = sums.get(row["key"], (0, 0))
            sums[row["key"]] = (one + row["numerator"], all_ + row["denominator"])
    return Facts(tuple(row["detail"] for row in facilities), sums, declared(tx, at))


def declared(tx: Transaction, at: datetime) -> dict[str, tuple[int, int]]:
    """The newest declared figure of each key, of that year or before."""
    found: dict[str, tuple[int, int]] = {}
    for row in tx.all("supervision.figures", year=local_day(at).year):
        found.setdefault(row["key"], (row["numerator"], row["denominator"]))
    return found


def local_day(at: datetime) -> date:
    """The day in China."""
    return at.astimezone(_ZONE).date()


def roll_up(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Facilities of each community, street, and all together: how many, beds, nursing beds."""
    sums: dict[tuple[str, str, str], dict[str, int]] = {}
    for row in rows:
        one = row["detail"]
        for level, street, community in (
            ("community", one["street"], one["community"]), ("street", one["street"], ""), ("district", "", ""),
        ):  # fmt: skip
            if level == "community" and not community:
                continue
            total = sums.setdefault((level, street, community), {"facilities": 0, "beds": 0, "nursing_beds": 0})
            total["facilities"] += 1
            total["beds"] += one["beds"]
            total["nursing_beds"] += one["nursing_beds"]
    order = {"district": 0, "street": 1, "community": 2}
    return [
        {"level": level, "street": street, "community": community, **total}
        for (level, street, community), total in sorted(sums.items(), key=lambda item: (order[item[0][0]], item[0]))
    ]
