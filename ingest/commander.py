"""Commands waiting in the database enter, publications to devices leave; each is marked sent after the broker took it."""

from __future__ import annotations

from collections.abc import Callable

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
    sent = 0
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
                commands.mark_sent(tx, clock, command_id=command.id)
                sent += 1
    return sent
