"""Who is on duty: rows of the rota and a moment enter, people with the reason why leave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from alerts.rota.calendar import Occurrence, Shift, occurrences
from db.tenant import Transaction

Source = Literal["rota", "swap", "by_hand"]


@dataclass(frozen=True, slots=True)
class OnDuty:
    """Somebody on duty. `until` and `shift_id` are None for who went on duty by hand."""

    user_id: UUID
    name: str
    source: Source
    begins_at: datetime | None = None
    until: datetime | None = None
    shift_id: UUID | None = None
    on: date | None = None
    title: str = ""
    note: str = ""
    building: str = ""
    floors: tuple[str, ...] = ()
    phone: str = ""


@dataclass(frozen=True, slots=True)
class Duty:
    """Who is on duty for a place: those of its floor, else those of the house; `of_floor` says which."""

    people: tuple[OnDuty, ...]
    of_floor: bool = True


def shift_of(row: dict[str, Any]) -> Shift:
    """A row of `rota_shifts` as the calendar counts with it."""
    return Shift(
        id=row["id"],
        user_id=row["user_id"],
        starts_on=row["starts_on"],
        start_time=row["start_time"],
        end_time=row["end_time"],
        end_day=row["end_day"],
        zone=row["zone"],
        rule=row["rule"],
        except_on=frozenset(row["except_on"]),
        building=row["building"],
        floors=frozenset(row["floors"]),
    )


def on_duty(tx: Transaction, institution_id: UUID, at: datetime, building: str = "", floor: str = "") -> Duty:
    """Who is on duty at a moment for a place of one institution.

    The rota and those who went on duty by hand count together; who is absent is left out. Where nobody is on duty for
    the floor, whoever is on duty anywhere in the house is meant: one corridor further is better than nobody.
    """
    everyone = _everyone(tx, institution_id, at)
    near = [one for one in everyone if _serves(one, building, floor)]
    return Duty(tuple(near)) if near else Duty(tuple(everyone), of_floor=not everyone)


def planned(tx: Transaction, institution_id: UUID, begin: datetime, end: datetime) -> list[tuple[Occurrence, OnDuty]]:
    """Every occurrence in [begin, end) and who does it, swaps and absences counted, in order of time."""
    shifts = tx.all("rota.shifts_at", institution_id=institution_id, at=begin, until=end)
    swaps = _swaps(tx, institution_id, begin, end) if shifts else {}
    absences = tx.all("rota.absences_in", institution_id=institution_id, begin=begin, end=end)
    found = []
    for row in shifts:
        for one in occurrences(shift_of(row), begin, end):
            if row["removed_at"] is not None and one.begins_at >= row["removed_at"]:
                continue
            person = _person(row, one, swaps.get((row["id"], one.on)))
            if person is not None and not _absent(absences, person.user_id, one.begins_at, one.ends_at):
                found.append((one, person))
    return sorted(found, key=lambda pair: (pair[0].begins_at, pair[1].name, str(pair[1].user_id)))


def _everyone(tx: Transaction, institution_id: UUID, at: datetime) -> list[OnDuty]:
    just_after = at + timedelta(microseconds=1)
    found: dict[UUID, OnDuty] = {}
    absent = {
        row["user_id"] for row in tx.all("rota.absences_in", institution_id=institution_id, begin=at, end=just_after)
    }
    rows = tx.all("rota.shifts_at", institution_id=institution_id, at=at, until=just_after)
    swaps = _swaps(tx, institution_id, at, just_after) if rows else {}
    for row in rows:
        for one in occurrences(shift_of(row), at, just_after):
            person = _person(row, one, swaps.get((row["id"], one.on)))
            if person is not None and person.user_id not in absent:
                known = found.get(person.user_id)
                found[person.user_id] = person if known is None else _wider(known, person)
    for row in tx.all("rota.by_hand", institution_id=institution_id):
        if row["id"] not in absent:
            found[row["id"]] = OnDuty(row["id"], row["name"], "by_hand", phone=row["phone"])
    return sorted(found.values(), key=lambda one: str(one.user_id))


def _wider(one: OnDuty, other: OnDuty) -> OnDuty:
    """Two shifts of one person at once: the one that is for more floors speaks for both."""
    return one if not one.floors or (other.floors and len(one.floors) >= len(other.floors)) else other


def _person(row: dict[str, Any], one: Occurrence, swap: dict[str, Any] | None) -> OnDuty | None:
    """Who does an occurrence; None where the account is closed."""
    who = swap or row
    if who["disabled"]:
        return None
    return OnDuty(
        who["user_id"],
        who["name"],
        "swap" if swap else "rota",
        one.begins_at,
        one.ends_at,
        row["id"],
        one.on,
        row["title"],
        row["note"],
        row["building"],
        tuple(sorted(row["floors"])),
        who["phone"],
    )


def _serves(one: OnDuty, building: str, floor: str) -> bool:
    here = not one.building or not building or one.building == building
    return here and (not one.floors or not floor or floor in one.floors)


def _swaps(
    tx: Transaction, institution_id: UUID, begin: datetime, end: datetime
) -> dict[tuple[UUID, date], dict[str, Any]]:
    """Accepted swaps around an interval by shift and day; days are of each shift's zone, hence the margin."""
    first, last = begin.date() - timedelta(days=5), end.date() + timedelta(days=2)
    rows = tx.all("rota.swaps_in", institution_id=institution_id, first=first, last=last)
    return {(row["shift_id"], row["on_date"]): row for row in rows}


def _absent(absences: Sequence[dict[str, Any]], user_id: UUID, begin: datetime, end: datetime) -> bool:
    """Whether somebody is away for the whole of an occurrence."""
    return any(a["user_id"] == user_id and a["begins_at"] <= begin and a["ends_at"] >= end for a in absences)
