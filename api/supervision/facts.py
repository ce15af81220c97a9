"""Facts for the indicators: a transaction and a time enter, counts and public facilities leave."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from api.supervision.indicators import Facts
from core.days import local_day
from db.tenant import Transaction


@dataclass(frozen=True, slots=True)
class Place:
    """A part of what is in sight: a street, a community of it, an institution; left out, all of it."""

    street: str | None = None
    community: str | None = None
    institution: UUID | None = None

    @property
    def is_everything(self) -> bool:
        return self == Place()

    def holds(self, facility: dict[str, Any]) -> bool:
        """Whether a facility lies there."""
        where = facility["detail"]
        return (
            self.institution in (None, facility["institution_id"])
            and self.street in (None, where["street"])
            and self.community in (None, where["community"])
        )


def facts_at(tx: Transaction, at: datetime, place: Place = Place()) -> Facts:
    """Everything in sight, or what lies in a place.

    What is counted of people and staff belongs to an institution, and so to every street in which it has a facility.
    Figures that the region declared are the region's: no part of it has them.
    """
    facilities = [row for row in tx.all("supervision.facilities", at=at) if place.holds(row)]
    there = institutions_in(facilities, place)
    sums: dict[str, tuple[int, int]] = {}
    for row in tx.all("supervision.counts", at=at):
        if there is None or row["institution_id"] in there:
            one, all_ = sums.get(row["key"], (0, 0))
            sums[row["key"]] = (one + row["numerator"], all_ + row["denominator"])
    known = declared(tx, local_day(at).year) if place.is_everything else {}
    return Facts(tuple(row["detail"] for row in facilities), sums, known)


def facts_of_months(
    tx: Transaction, begin: date, end: date, keys: list[str], place: Place = Place()
) -> dict[date, Facts]:
    """What was kept of each month in [begin, end], counts under these keys alone; as `facts_at` has it of a moment."""
    span = {"from": begin, "to": end}
    places: dict[date, list[dict[str, Any]]] = {row["month"]: [] for row in tx.all("supervision.trend_months", **span)}
    for row in tx.all("supervision.trend_facilities", **span):
        whole = [{"institution_id": row["institution_id"], "detail": one} for one in row["facilities"]]
        places[row["month"]] += [one for one in whole if place.holds(one)]
    counts = list(tx.all("supervision.trend_counts", keys=keys, **span))
    found: dict[date, Facts] = {}
    for month, facilities in places.items():
        there = institutions_in(facilities, place)
        sums: dict[str, tuple[int, int]] = {}
        for row in counts:
            if row["month"] == month and (there is None or row["institution_id"] in there):
                one, all_ = sums.get(row["key"], (0, 0))
                sums[row["key"]] = (one + row["numerator"], all_ + row["denominator"])
        known = declared(tx, month.year) if place.is_everything else {}
        found[month] = Facts(tuple(row["detail"] for row in facilities), sums, known)
    return found


def institutions_in(facilities: list[dict[str, Any]], place: Place) -> frozenset[UUID] | None:
    """The institutions of a place; None for all. One without a facility yet can still be asked for by its id."""
    if place.street is None and place.community is None:
        return None if place.institution is None else frozenset({place.institution})
    return frozenset(row["institution_id"] for row in facilities)


def declared(tx: Transaction, year: int) -> dict[str, tuple[int, int]]:
    """The newest declared figure of each key, of that year or before."""
    found: dict[str, tuple[int, int]] = {}
    for row in tx.all("supervision.figures", year=year):
        found.setdefault(row["key"], (row["numerator"], row["denominator"]))
    return found


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
