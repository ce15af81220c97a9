"""The rota: validated bodies enter, rows are written in the caller's transaction."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from alerts.rota.calendar import check_rule, occurs_on, zone_of
from alerts.rota.duty import shift_of
from alerts.rota.ical import CalendarShift, People
from api.auth.accounts import Account
from api.rota.schemas import AbsenceBody, Imported, Shift, ShiftBody, Swap, SwapBody
from core.clock import Clock
from core.errors import BadInput, Conflict, Forbidden, NotFound
from core.ids import new_id
from core.vocabulary import Role
from db.tenant import Transaction

_COLUMNS = (
    "user_id", "title", "starts_on", "start_time", "end_time", "zone", "rule", "building", "floors", "note",
)  # fmt: skip


def people(tx: Transaction) -> People:
    """Everybody who can be put on the rota."""
    return People(tuple(tx.all("rota.staff")))


def save_shift(tx: Transaction, clock: Clock, caller: Account, body: ShiftBody, shift_id: UUID | None = None) -> Shift:
    """Add or change a shift. Raises NotFound, BadInput."""
    _staff(tx, body.user_id)
    end_day = body.end_day if body.end_day is not None else int(body.end_time <= body.start_time)
    values: dict[str, Any] = {name: getattr(body, name) for name in _COLUMNS}
    values |= {
        "rule": check_rule(body.rule, body.starts_on, zone_of(body.zone)),
        "end_day": end_day,
        "except_on": sorted(set(body.except_on)),
        "now": clock.now(),
    }
    if shift_id is None:
        shift_id = new_id(clock)
        tx.run("rota.add_shift", id=shift_id, tenant=caller.tenant, uid=f"{shift_id}@anhu", **values)
    elif not tx.run("rota.save_shift", id=shift_id, **values):
        raise NotFound("there is no such shift")
    return Shift(**tx.one("rota.shift", id=shift_id))


def _staff(tx: Transaction, user_id: UUID) -> None:
    if user_id not in {row["id"] for row in tx.all("rota.staff")}:
        raise NotFound("there is no such active member of staff")


def add_swap(tx: Transaction, clock: Clock, caller: Account, shift_id: UUID, body: SwapBody) -> Swap:
    """Give one occurrence to somebody else; an administrator's word counts at once, anybody else's once accepted.

    Raises NotFound, Forbidden (not one's own shift), BadInput (no occurrence on that day), Conflict (swapped already).
    """
    row = tx.first("rota.shift", id=shift_id)
    if row is None:
        raise NotFound("there is no such shift")
    if caller.role is not Role.ADMIN and row["user_id"] != caller.id:
        raise Forbidden("only an administrator may give away somebody else's shift")
    _staff(tx, body.user_id)
    if body.user_id == row["user_id"]:
        raise BadInput("the shift is theirs already")
    if not occurs_on(shift_of(row), body.on):
        raise BadInput("the shift does not take place on that day")
    now, swap = clock.now(), new_id(clock)
    made = tx.run(
        "rota.add_swap",
        id=swap,
        tenant=caller.tenant,
        shift_id=shift_id,
        on_date=body.on,
        user_id=body.user_id,
        reason=body.reason,
        author=caller.id,
        now=now,
        accepted_at=now if caller.role is Role.ADMIN else None,
    )
    if not made:
        raise Conflict("that occurrence is swapped already; cancel that swap first")
    return swap_view(swap_row(tx, swap))


def swap_row(tx: Transaction, swap_id: UUID) -> dict[str, Any]:
    """A swap that stands. Raises NotFound."""
    row = tx.first("rota.swaps", id=swap_id, after=None, after_id=None, limit=1)
    if row is None:
        raise NotFound("there is no such swap")
    return row


def swap_view(row: dict[str, Any]) -> Swap:
    """A swap as the API shows it."""
    return Swap(**{**row, "on": row["on_date"]})


def add_absence(tx: Transaction, clock: Clock, caller: Account, body: AbsenceBody) -> UUID:
    """Note an absence, one's own or, as an administrator, anybody's. Raises Forbidden, NotFound."""
    if caller.role is not Role.ADMIN and body.user_id != caller.id:
        raise Forbidden("only an administrator may note somebody else's absence")
    _staff(tx, body.user_id)
    absence = new_id(clock)
    tx.run("rota.add_absence", id=absence, tenant=caller.tenant, author=caller.id, now=clock.now(), **body.model_dump())
    return absence


def export(tx: Transaction, now: datetime) -> list[CalendarShift]:
    """Every shift of the institution with its accepted swaps, for a calendar."""
    rows = tx.all("rota.shifts", user=None, after=None, after_id=None, limit=2_000)
    swaps: dict[UUID, dict[date, UUID]] = {}
    for row in tx.all("rota.swaps", id=None, after=None, after_id=None, limit=10_000):
        if row["accepted_at"] is not None and row["on_date"] >= (now - timedelta(days=366)).date():
            swaps.setdefault(row["shift_id"], {})[row["on_date"]] = row["user_id"]
    return [
        CalendarShift(
            uid=row["uid"],
            **{name: row[name] for name in _COLUMNS if name != "floors"},
            end_day=row["end_day"],
            except_on=tuple(row["except_on"]),
            floors=tuple(row["floors"]),
            swaps=swaps.get(row["id"], {}),
        )
        for row in rows
    ]


def take(tx: Transaction, clock: Clock, caller: Account, shifts: list[CalendarShift]) -> Imported:
    """Put a calendar's shifts in, by UID: the same calendar again changes nothing that it did not change itself."""
    added = changed = swaps = 0
    for shift in shifts:
        values: dict[str, Any] = {name: getattr(shift, name) for name in _COLUMNS}
        values |= {"floors": list(shift.floors), "except_on": list(shift.except_on), "end_day": shift.end_day}
        known = tx.first("rota.shift_of_uid", uid=shift.uid)
        shift_id = known["id"] if known else new_id(clock)
        if known is None:
            tx.run("rota.add_shift", id=shift_id, tenant=caller.tenant, uid=shift.uid, now=clock.now(), **values)
            added += 1
        elif _differs(tx, shift_id, values):
            tx.run("rota.save_shift", id=shift_id, now=clock.now(), **values)
            changed += 1
        row = tx.one("rota.shift", id=shift_id)
        for day, user_id in shift.swaps.items():
            if not occurs_on(shift_of(row), day):
                raise BadInput(f"{shift.title or shift.uid}: the shift does not take place on {day}")
            now = clock.now()
            swaps += tx.run(
                "rota.add_swap", id=new_id(clock), tenant=caller.tenant, shift_id=shift_id, on_date=day,
                user_id=user_id, reason="", author=caller.id, now=now, accepted_at=now,
            )  # fmt: skip
    return Imported(added=added, changed=changed, swaps=swaps)


def _differs(tx: Transaction, shift_id: UUID, values: dict[str, Any]) -> bool:
    row = tx.one("rota.shift", id=shift_id)
    return any(row[name] != value for name, value in values.items())
