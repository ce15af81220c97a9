"""When somebody got up: a morning's readings of the bed and of motion enter, the moment and how it is known leave.

Pure. A bed that stays empty tells most; where there is none, the first lasting activity does. Where neither speaks,
nothing is said: a morning without data is not a morning in bed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

MORNING_HOUR: Final = 4
"""Local; whoever is up before has not begun the day."""
OUT_MINUTES: Final = 30
"""A way to the toilet is over by then."""
ACTIVE_MINUTES_MIN: Final = 3
"""So many different minutes with motion within OUT_MINUTES are more than turning over or a cat."""

Point = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rise:
    """The moment; `by` is "bed" for getting up, "motion" for the first lasting activity."""

    at: datetime
    by: Literal["bed", "motion"]


def rise(bed: Sequence[Point], motion: Sequence[Point], now: datetime) -> Rise | None:
    """The rise of a morning, or None.

    bed, motion: points of one minute each since MORNING_HOUR, in order: `t`, `avg` (share of the minute in bed), `max`.
    """
    found = _left_bed(bed, now)
    if found is not None:
        return Rise(found, "bed")
    began = _became_active(motion)
    return Rise(began, "motion") if began is not None and not _in_bed(bed) else None


def _in_bed(bed: Sequence[Point]) -> bool:
    return bool(bed) and bed[-1]["avg"] >= 0.5


def _left_bed(bed: Sequence[Point], now: datetime) -> datetime | None:
    """The begin of the first empty stretch after lying there that lasts; one that has not lasted yet does not count."""
    lain = False
    out: datetime | None = None
    for point in bed:
        if point["avg"] >= 0.5:
            lain, out = True, None
        elif lain and out is None:
            out = point["t"]
        if out is not None and point["t"] - out >= timedelta(minutes=OUT_MINUTES):
            return out
    return out if out is not None and now - out >= timedelta(minutes=OUT_MINUTES) else None


def _became_active(motion: Sequence[Point]) -> datetime | None:
    active = [point["t"] for point in motion if point["max"] > 0]
    for begin, later in zip(active, active[ACTIVE_MINUTES_MIN - 1 :], strict=False):
        if later - begin <= timedelta(minutes=OUT_MINUTES):
            return begin  # type: ignore[no-any-return]  # rows of the database are not typed
    return None
