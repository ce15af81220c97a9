"""Publishing: a stream of timed messages enters, a broker gets each when it is due; counts leave."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from core.clock import Clock
from simulators.faults import Message
from simulators.fleet import Fleet, Report
from simulators.pace import Pace

# The longest sleep, so that a stop is heard soon.
_NAP_SECONDS = 0.2
DRAIN_SECONDS = 60.0
# After a stop the whole process has ten seconds.
STOPPED_DRAIN_SECONDS = 2.0


def publish(
    messages: Iterable[Message],
    fleet: Fleet,
    pace: Pace,
    clock: Clock,
    stop: threading.Event,
    *,
    farewell: bool = False,
    on_sent: Callable[[Message], None] | None = None,
) -> Report:
    """Publish until the stream ends or `stop` is set, wait for acknowledgements, sign off.

    With `farewell` every device says at the end that it is offline. The fleet is closed in any case.
    """
    try:
        for message in messages:
            if not _wait(pace.due(message.time), clock, stop):
                break
            if fleet.send(message, stop) and on_sent is not None:
                on_sent(message)
        if farewell:
            fleet.farewell(stop)
    finally:
        fleet.close(STOPPED_DRAIN_SECONDS if stop.is_set() else DRAIN_SECONDS)
    return fleet.report()


def _wait(due: float, clock: Clock, stop: threading.Event) -> bool:
    """Sleep until real Unix time `due`; False when stopped."""
    while not stop.is_set():
        left = due - clock.time()
        if left <= 0.0:
            return True
        clock.sleep(min(left, _NAP_SECONDS))
    return False
