"""Commands to devices: a request enters from the api; ingest takes it, publishes it, and writes the answer back.

    requested -> sent -> acknowledged | failed
        └──────────┴───> expired

The row is the truth. A NOTIFY on `anhu_command` wakes ingest and polling guarantees; a command may be published twice
when ingest dies between publishing and committing, so devices go by its id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from core.clock import Clock
from core.errors import BadInput
from core.ids import new_id
from db.tenant import Transaction

EXPIRES_SECONDS_DEFAULT: Final = 300
EXPIRES_SECONDS_MAX: Final = 7 * 86_400


@dataclass(frozen=True, slots=True)
class Command:
    """One command on its way, with the address to publish it to."""

    id: UUID
    device_key: int
    site: str
    device: str
    type: str
    args: dict[str, Any]
    expires_at: datetime


def request(
    tx: Transaction,
    clock: Clock,
    *,
    institution_id: UUID,
    device_key: int,
    type: str,  # noqa: A002 -- the word of the wire contract
    args: dict[str, Any] | None = None,
    requested_by: UUID | None = None,
    expires_in_seconds: int = EXPIRES_SECONDS_DEFAULT,
) -> UUID:
    """Ask for a command to be sent; returns its id. Raises BadInput for a lifetime out of bounds."""
    if not 1 <= expires_in_seconds <= EXPIRES_SECONDS_MAX:
        raise BadInput(f"a command lives between 1 and {EXPIRES_SECONDS_MAX} seconds")
    command = new_id(clock)
    tx.run(
        "devices.request_command",
        id=command,
        institution_id=institution_id,
        key=device_key,
        type=type,
        args=args or {},
        user=requested_by,
        now=clock.now(),
        expires=clock.now() + timedelta(seconds=expires_in_seconds),
    )
    return command


def take_waiting(tx: Transaction, clock: Clock, *, limit: int = 100) -> list[Command]:
    """The oldest commands that wait and have not expired, locked until the transaction ends.

    Publish them, then `mark_sent` in the same transaction; another taker skips locked ones.
    """
    return [Command(**row) for row in tx.all("devices.take_commands", now=clock.now(), limit=limit)]


def mark_sent(tx: Transaction, clock: Clock, ids: Sequence[UUID]) -> int:
    """Record that commands went out; how many did."""
    return tx.run("devices.mark_commands_sent", ids=list(ids), now=clock.now())


def answer(
    tx: Transaction, clock: Clock, *, device_key: int, command_id: UUID, ok: bool, result: dict[str, Any] | None = None
) -> bool:
    """Record a device's answer to its own command; False where nothing waits for one (unknown, answered, expired)."""
    return (
        tx.run(
            "devices.answer_command",
            id=command_id,
            key=device_key,
            state="acknowledged" if ok else "failed",
            result=result or {},
            now=clock.now(),
        )
        > 0
    )


def expire(tx: Transaction, clock: Clock) -> int:
    """Close commands whose time has passed without an answer; how many."""
    return tx.run("devices.expire_commands", now=clock.now())
