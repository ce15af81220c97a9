"""Commands waiting in the database enter, publications to devices leave; marked sent once the broker has them."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import msgspec

from core import logging
from core.clock import Clock
from db.pool import Pool
from db.tenant import service_transaction
from devices import commands
from ingest.topics import PREFIX

log = logging.get(__name__)

COMMANDS_MAX = 100


def send_waiting(pool: Pool, clock: Clock, publish: Callable[[str, bytes], bool]) -> int:
    """Publish what waits and has not expired; how many. Raises Unavailable.

    A kill between publishing and the commit sends the command again, under the same id: devices know it by that.
    """
    sent: list[UUID] = []
    with service_transaction(pool) as tx:
        commands.expire(tx, clock)
        for command in commands.take_waiting(tx, clock, limit=COMMANDS_MAX):
            payload = msgspec.json.encode(
                {
                    "id": str(command.id),
                    "type": command.type,
                    "args": command.args,
                    "expires": command.expires_at.timestamp(),
                }
            )
            if publish(f"{PREFIX}/{command.site}/{command.device}/command", payload):
                sent.append(command.id)
        commands.mark_sent(tx, clock, sent)
    return len(sent)
