"""Notifications: a channel's name enters, a wake-up call for each notification leaves.

A notification only ever wakes: whoever listens must also look by itself now and then, since a call may be missed
while the connection is being made again.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence

import psycopg
from psycopg import sql as compose

from core.errors import Unavailable
from db.pool import DbRole, connect

RETRY_SECONDS_MAX = 10.0


def listen(
    url: str,
    role: DbRole,
    channels: Sequence[str],
    wake: Callable[[str, str], None],
    stop: threading.Event,
) -> None:
    """Call `wake(channel, payload)` for each notification until told to stop; run it in a thread of its own.

    After every (re)connection `wake(channel, "")` is called once for each channel: something may have been missed.
    """
    delay = 0.2
    while not stop.is_set():
        try:
            with connect(url, role) as connection:
                for channel in channels:
                    connection.execute(compose.SQL("LISTEN {}").format(compose.Identifier(channel)))
                for channel in channels:
                    wake(channel, "")
                delay = 0.2
                while not stop.is_set():
                    for notification in connection.notifies(timeout=0.5):
                        wake(notification.channel, notification.payload)
                        if stop.is_set():
                            break
        except (Unavailable, psycopg.Error):
            stop.wait(delay * random.uniform(0.5, 1.0))  # noqa: S311 -- jitter, not a secret
            delay = min(delay * 2, RETRY_SECONDS_MAX)
