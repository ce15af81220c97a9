"""Simulated against real time: a speed and the present enter, where to start and when each message is due leave.

Ingest takes device times from seven days ago to five minutes ahead. Faster than real time, a simulated clock that
starts now would soon be ahead; so it starts in the past, and once it has caught up with the present it goes on in
real time. `stamp="now"` instead starts now and shows real time on the devices, which squeezes durations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.clock import Clock
from core.errors import BadInput
from core.limits import CLOCK_PAST_SECONDS
from simulators.faults import Stamp

StampMode = Literal["device", "now"]
# A day below the oldest that ingest takes, so that queues and restarts on the way make no difference.
BACK_SECONDS_MAX = CLOCK_PAST_SECONDS - 86_400.0


@dataclass(frozen=True, slots=True)
class Pace:
    """`speed` simulated seconds pass per real second; infinity means as fast as the broker takes them.

    start: simulated Unix time of the stream's first moment; wall: real Unix time at the same moment.
    """

    speed: float
    start: float
    wall: float
    stamp_mode: StampMode = "device"

    def due(self, time: float) -> float:
        """Real Unix time at which a message of this simulated time leaves."""
        due = self.wall + (time - self.start) / self.speed
        return due if self.stamp_mode == "now" else max(due, time)

    def stamp(self) -> Stamp | None:
        """What a correct device clock shows; None for simulated time itself."""
        if self.stamp_mode == "device":
            return None
        return lambda time: self.wall + (time - self.start) / self.speed


def make_pace(
    clock: Clock, *, speed: float = 1.0, seconds: float | None = None, stamp_mode: StampMode = "device"
) -> Pace:
    """The pace of a stream that starts now and lasts `seconds` of simulated time (None: for ever).

    With a duration it ends at the present, when six days are enough. Speed 0 is as fast as possible.
    Raises BadInput for a negative speed, and for a stamp mode that the speed does not allow.
    """
    if not speed >= 0.0:
        raise BadInput(f"speed must be 0 (as fast as possible) or more, got {speed}")
    if stamp_mode not in ("device", "now"):
        raise BadInput(f"stamp must be device or now, got {stamp_mode!r}")
    speed = speed or float("inf")
    if stamp_mode == "now" and speed == float("inf"):
        raise BadInput("devices can only show real time at a finite speed")
    now = clock.time()
    if stamp_mode == "now" or speed <= 1.0:
        return Pace(speed, now, now, stamp_mode)
    wanted = BACK_SECONDS_MAX if seconds is None else seconds * (1.0 - 1.0 / speed)
    return Pace(speed, now - min(wanted, BACK_SECONDS_MAX), now, stamp_mode)
