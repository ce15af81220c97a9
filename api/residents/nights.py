"""Nights in bed: what the bed sensor said enters, when somebody lay down, rose and was up in between leaves.

A night lasts from 18:00 to noon of the local day after. Five minutes count as in bed by their mean; being up shows in
their lowest value, so that a short walk is counted also where most of the five minutes was spent in bed. Where the
sensor said nothing, nothing is concluded: such time is in no span.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Annotated, Any, Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.access import require_metric, resident_scopes
from api.deps import API, STAFF, Audit, Caller, Tx, require
from api.residents import series
from api.state import State
from core.metrics import BY_CODE
from core.vocabulary import Role

router = APIRouter(prefix=f"{API}/residents", tags=["readings"])
READERS = (*STAFF, Role.FAMILY)
NIGHTS_DEFAULT: Final = 14
NIGHTS_MAX: Final = 30
STEP: Final = timedelta(minutes=5)
HELD: Final = timedelta(minutes=20)
"""So long a value is believed: bed sensors report every five to ten minutes; then nothing is known."""
BEGINS_HOUR, ENDS_HOUR = 18, 12
_BED: Final = BY_CODE["bed"]
Points = list[dict[str, Any]]


class BedSpan(BaseModel):
    """A time in or out of bed; between two spans nothing was measured."""

    begins_at: datetime
    ends_at: datetime
    state: Literal["in", "out"]


class Night(BaseModel):
    """One night; times are null where nobody was seen in bed."""

    evening: date = Field(description="the local day on which it begins", examples=["2026-01-31"])
    in_bed_at: datetime | None
    up_at: datetime | None = Field(description="out of bed for good; of a night that runs: last seen in bed")
    in_bed_minutes: int = Field(examples=[465])
    times_up: int = Field(description="times out of bed between lying down and rising", examples=[2])
    up_minutes: int = Field(description="together, to five minutes", examples=[12])
    unknown_minutes: int = Field(description="without a word of the sensor, up to now", examples=[0])
    spans: list[BedSpan]


class Nights(BaseModel):
    """The last nights, oldest first; one without a bed sensor's word has no spans."""

    resident_id: UUID
    time_zone: str = Field(examples=["Asia/Shanghai"])
    items: list[Night]
    next: None = None


@router.get("/{resident_id}/nights", summary="夜间在床 · Nights in bed", dependencies=[require(*READERS)])
def list_nights(
    resident_id: UUID,
    caller: Caller,
    tx: Tx,
    state: State,
    audit: Audit,
    nights: Annotated[int, Query(ge=1, le=NIGHTS_MAX, description="so many, the last one included")] = NIGHTS_DEFAULT,
) -> Nights:
    """In bed from and to, and times up, from the bed sensor. Needs the consent for activity."""
    require_metric(_BED, resident_scopes(tx, caller, resident_id))
    now, zone = state.clock.now(), ZoneInfo(state.settings.timezone)
    last = (now.astimezone(zone) - timedelta(hours=BEGINS_HOUR)).date()
    wanted = [last - timedelta(days=nights - 1 - number) for number in range(nights)]
    query = series.plan(_BED, _bounds(wanted[0], zone)[0], _bounds(last, zone)[1], "5m", now)
    points = series.read(tx, resident_id, query, now=now)
    audit.record("read_nights", "resident", resident_id)
    items = [night(points, evening, *_bounds(evening, zone), now) for evening in wanted]
    return Nights(resident_id=resident_id, time_zone=zone.key, items=items)


def _bounds(evening: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    begins = datetime(evening.year, evening.month, evening.day, BEGINS_HOUR, tzinfo=zone)
    ends = evening + timedelta(days=1)
    return begins, datetime(ends.year, ends.month, ends.day, ENDS_HOUR, tzinfo=zone)


@dataclass(frozen=True, slots=True)
class _Piece:
    """What one bucket tells of the time until the next one, or until it is too old."""

    begins: datetime
    ends: datetime
    share: float
    """Of it in bed, 0-1."""
    was_up: bool
    follows: bool
    """Whether something was known until it begins."""


def night(points: Points, evening: date, begins: datetime, ends: datetime, now: datetime) -> Night:
    """One night out of buckets of five minutes (`t`, `avg`, `min`, in order of time)."""
    ends = min(ends, max(now, begins))
    pieces = _pieces([one for one in points if begins <= one["t"] < ends], ends)
    lying = [number for number, one in enumerate(pieces) if one.share >= 0.5]
    known = sum(((one.ends - one.begins) for one in pieces), timedelta())
    between = pieces[lying[0] : lying[-1] + 1] if lying else []
    up = [one for one in between if one.was_up]
    runs = [key for key, _ in groupby(between, key=lambda one: one.was_up) if key]
    return Night(
        evening=evening,
        in_bed_at=between[0].begins if between else None,
        up_at=between[-1].ends if between else None,
        in_bed_minutes=_minutes([(one.ends - one.begins) * one.share for one in pieces]),
        times_up=len(runs),
        up_minutes=_minutes([(one.ends - one.begins) * (1.0 - one.share) for one in up]),
        unknown_minutes=_minutes([ends - begins - known]),
        spans=_spans(pieces),
    )


def _pieces(points: Points, ends: datetime) -> list[_Piece]:
    found: list[_Piece] = []
    for number, one in enumerate(points):
        following = points[number + 1]["t"] if number + 1 < len(points) else ends
        until = min(following, one["t"] + HELD, ends)
        follows = bool(found) and found[-1].ends == one["t"]
        found.append(_Piece(one["t"], until, float(one["avg"]), one["min"] < 0.5, follows))
    return found


def _spans(pieces: list[_Piece]) -> list[BedSpan]:
    """Neighbours in the same state become one."""
    found: list[BedSpan] = []
    for one in pieces:
        state: Literal["in", "out"] = "in" if one.share >= 0.5 else "out"
        if one.follows and found[-1].state == state:
            found[-1].ends_at = one.ends
        else:
            found.append(BedSpan(begins_at=one.begins, ends_at=one.ends, state=state))
    return found


def _minutes(parts: list[timedelta]) -> int:
    return round(sum(parts, timedelta()) / timedelta(minutes=1))
