"""A resident's readings over time: a metric, a range and a bucket enter, points for a chart leave.

What is younger than the late window (values may still arrive for it) is computed from raw readings, so that a value is
seen as soon as it is committed; what is older no longer changes and comes from the rollups. A reading belongs to the
resident whom the device's binding names at the reading's time. Gaps stay gaps.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from core.errors import BadInput
from core.limits import CLOCK_FUTURE_SECONDS, CLOCK_PAST_SECONDS, POINTS_MAX
from core.metrics import BY_CODE, Metric
from db.tenant import Transaction

RANGE_DEFAULT: Final = timedelta(hours=24)
# Older values than the late window are refused by ingest, so the rollups behind it are final; a day to spare.
RAW_AGE_MAX: Final = timedelta(seconds=CLOCK_PAST_SECONDS) + timedelta(days=1)
_DAY: Final = timedelta(days=1)
# Days begin at midnight in China, which has no daylight saving: 16:00 UTC, as in the daily rollups.
_ORIGIN: Final = datetime(2000, 1, 1, 16, tzinfo=UTC)
_HOURLY_DAYS_MAX: Final = timedelta(days=400)

BUCKETS: Final[dict[str, timedelta | None]] = {
    "raw": None,
    "1m": timedelta(minutes=1),
    "5m": timedelta(minutes=5),
    "15m": timedelta(minutes=15),
    "1h": timedelta(hours=1),
    "1d": _DAY,
}
_ISO: Final = {"PT1M": "1m", "PT5M": "5m", "PT15M": "15m", "PT1H": "1h", "PT60M": "1h", "P1D": "1d", "PT24H": "1d"}
_WORDS: Final = {
    "min": "m", "minute": "m", "minutes": "m", "m": "m", "h": "h", "hour": "h", "hours": "h", "d": "d", "day": "d",
    "days": "d",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SeriesQuery:
    """What to read: [start, end), in buckets of `width` (None: every reading by itself)."""

    metric: Metric
    start: datetime
    end: datetime
    bucket: str
    width: timedelta | None


def parse_metric(code: str) -> Metric:
    """The metric of a code. Raises BadInput."""
    metric = BY_CODE.get(code)
    if metric is None:
        raise BadInput(f"unknown metric; one of {', '.join(BY_CODE)}")
    return metric


def parse_bucket(text: str) -> str:
    """The canonical name of a bucket: `5m`, also written `5min`, `5 minutes` or `PT5M`. Raises BadInput."""
    plain = text.strip()
    if plain.upper() in _ISO:
        return _ISO[plain.upper()]
    match = re.fullmatch(r"(\d{1,3})\s*([a-z]+)", plain.lower())
    name = f"{match[1]}{_WORDS.get(match[2], '?')}" if match else plain.lower()
    name = {"60m": "1h", "24h": "1d"}.get(name, name)
    if name not in BUCKETS:
        raise BadInput(f"unknown bucket; one of {', '.join(BUCKETS)}")
    return name


def plan(metric: Metric, start: datetime | None, end: datetime | None, bucket: str, now: datetime) -> SeriesQuery:
    """A checked query; the last 24 hours unless told otherwise.

    Raises BadInput for a range that is empty or would give more points than an answer holds.
    """
    name = parse_bucket(bucket)
    width = BUCKETS[name]
    # A device's clock may run ahead by as much as ingest accepts; its newest value belongs in the picture.
    end = end or now + timedelta(seconds=CLOCK_FUTURE_SECONDS)
    start = start or min(end, now) - RANGE_DEFAULT
    if start >= end:
        raise BadInput("`from` must lie before `to`")
    if width is not None and (end - start) / width > POINTS_MAX:
        raise BadInput(f"more than {POINTS_MAX} buckets of {name}; take a longer bucket or a shorter range")
    return SeriesQuery(metric, start, end, name, width)


def read(tx: Transaction, resident: UUID, query: SeriesQuery, *, now: datetime) -> list[dict[str, Any]]:
    """Points in order of time: `t`, `avg`, `min`, `max`, `count`. Raises BadInput for too many raw readings."""
    given = {"resident": resident, "metric": query.metric.id}
    if query.width is None:
        points = tx.all("readings.raw", **given, start=query.start, end=query.end, limit=POINTS_MAX + 1)
        if len(points) > POINTS_MAX:
            raise BadInput(f"the range holds more than {POINTS_MAX} readings; take a bucket or a shorter range")
        return points
    found: list[dict[str, Any]] = []
    for source, start, end in _parts(query, now - RAW_AGE_MAX):
        found += tx.all(f"readings.{source}", **given, start=start, end=end, width=query.width, origin=_ORIGIN)
    return found


def _parts(query: SeriesQuery, edge: datetime) -> Iterator[tuple[str, datetime, datetime]]:
    """Which query reads which part of the range; the parts meet at the start of a bucket."""
    assert query.width is not None  # noqa: S101 -- raw readings have one part
    if query.width < timedelta(minutes=5):
        yield "bucketed_raw", query.start, query.end
        return
    edge = floor(edge, query.width)
    if query.start < edge:
        yield _rollup(query), floor(query.start, query.width), min(edge, query.end)
    if query.end > edge:
        yield "bucketed_raw", max(query.start, edge), query.end


def _rollup(query: SeriesQuery) -> str:
    """The coarsest rollup that fits; days over a moderate range come from hours, which lose less where a binding
    begins or ends inside a day."""
    if query.bucket == "1d" and query.end - query.start > _HOURLY_DAYS_MAX:
        return "bucketed_1d"
    return "bucketed_1h" if query.bucket in ("1h", "1d") else "bucketed_5m"


def floor(moment: datetime, width: timedelta) -> datetime:
    """The start of the bucket that holds the moment."""
    return moment - (moment - _ORIGIN) % width
