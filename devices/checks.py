"""The record of checks of safety devices: a transaction enters; what is due, what was done and announced drills leave.

Being tried is what tells a working device from a silent ornament: a wristband whose button sticks looks healthy until
somebody needs it. A device's own `test` event, an emergency event within an announced drill, or a person's word with a
note are checks; the first two are ticked by the alerts role.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from core.clock import Clock
from core.errors import BadInput, Conflict, NotFound
from core.ids import new_id
from core.vocabulary import CHECKED_KINDS, DEVICE_KINDS
from db.tenant import Transaction

DRILL_MINUTES_MAX: Final = 120
NOTE_CHARS_MAX: Final = 1000


def list_due(
    tx: Transaction, *, days: int, due_before: datetime | None = None, after: int = -1, limit: int
) -> list[dict[str, Any]]:
    """Checked devices in the order of their keys with `due_at`; only those due before a time, where one is given.

    days: the interval where the institution has set none.
    """
    given = {"kinds": list(CHECKED_KINDS), "key": None, "days": days, "due_before": due_before}
    return tx.all("checks.due", after=after, limit=limit, **given)


def record(
    tx: Transaction,
    clock: Clock,
    *,
    institution_id: UUID,
    device: dict[str, Any],
    days: int,
    result: Literal["passed", "failed"],
    note: str,
    done_by: UUID,
) -> None:
    """Write down a check that a person made. Raises BadInput without a note or for a kind that is not checked."""
    if device["kind"] not in CHECKED_KINDS:
        raise BadInput(f"a device of kind {device['kind']} is not checked; only {', '.join(CHECKED_KINDS)}")
    if not note.strip() or len(note) > NOTE_CHARS_MAX:
        raise BadInput(f"say in a note of at most {NOTE_CHARS_MAX} characters how it was checked")
    given = {"kinds": list(CHECKED_KINDS), "key": device["key"], "days": days, "due_before": None}
    due = tx.first("checks.due", after=-1, limit=1, **given)
    tx.run(
        "checks.record",
        id=new_id(clock),
        institution_id=institution_id,
        device_key=device["key"],
        due_at=due["due_at"] if due else None,
        done_at=clock.now(),
        how="manual",
        result=result,
        done_by=done_by,
        event_id=None,
        note=note.strip(),
    )


def announce_drill(
    tx: Transaction, clock: Clock, *, institution_id: UUID, device: dict[str, Any], minutes: int, note: str, by: UUID
) -> tuple[UUID, datetime]:
    """Let the device's next emergency event within so many minutes be a drill; the window's id and its end.

    Raises BadInput for a window out of bounds, Conflict for a device that serves nobody: its drill would prove nothing.
    """
    if not 1 <= minutes <= DRILL_MINUTES_MAX:
        raise BadInput(f"a drill is announced for 1 to {DRILL_MINUTES_MAX} minutes")
    if device["bound_from"] is None:
        raise Conflict("the device serves nobody; bind it first")
    now, drill = clock.now(), new_id(clock)
    closes = now + timedelta(minutes=minutes)
    tx.run("checks.end_drills", key=device["key"], now=now)
    tx.run(
        "checks.announce",
        id=drill,
        tenant=institution_id,
        key=device["key"],
        opens=now,
        closes=closes,
        user=by,
        note=note,
    )
    return drill, closes


def set_interval(tx: Transaction, clock: Clock, *, institution_id: UUID, kind: str, model: str, days: int) -> None:
    """How often devices of a kind, or of one model of it, are to be tried. Raises BadInput, NotFound."""
    if kind not in DEVICE_KINDS:
        raise NotFound("there is no such kind of device")
    if kind not in CHECKED_KINDS:
        raise BadInput(f"only {', '.join(CHECKED_KINDS)} are checked")
    tx.run("checks.set_interval", tenant=institution_id, kind=kind, model=model, days=days, now=clock.now())
