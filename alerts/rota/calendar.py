"""When a shift is: wall times, a zone and a recurrence enter, the instants of its occurrences leave. Pure.

Occurrences are counted in wall time and only then become instants, so a night shift is from 22:00 to 06:00 on every
day of the year, also on the two on which the clocks are put forward or back. A wall time that a day has twice means
the first one, one that a day lacks means as much later as the clocks moved; both ends of a shift go by the same rule,
so shifts that meet on the clock meet in time, without a gap and without two at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dateutil.rrule import rrulestr

from core.errors import BadInput

COUNT_MAX: Final = 1_000
INTERVAL_MAX: Final = 366
RULE_CHARS_MAX: Final = 200
END_DAY_MAX: Final = 3
FIRST_WITHIN_YEARS: Final = 5
_PARTS: Final = frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS", "WKST"})
_DAYS: Final = {"DAILY": 1, "WEEKLY": 7}


@dataclass(frozen=True, slots=True)
class Shift:
    """A row of the rota. `rule`: an RFC 5545 RRULE without its name, empty for one single shift."""

    id: UUID
    user_id: UUID
    starts_on: date
    start_time: time
    end_time: time
    end_day: int
    zone: str
    rule: str = ""
    except_on: frozenset[date] = frozenset()
    building: str = ""
    floors: frozenset[str] = frozenset()

    def covers(self, building: str, floor: str) -> bool:
        """Whether it is for this place; a shift without floors is for all, a place without a floor for any shift."""
        here = not self.building or not building or self.building == building
        return here and (not self.floors or not floor or floor in self.floors)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One time that a shift takes place; `on` is the date on which it begins, in its own zone."""

    shift: Shift
    on: date
    begins_at: datetime
    ends_at: datetime


def zone_of(name: str) -> ZoneInfo:
    """An IANA zone. Raises BadInput for a name that there is none of."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadInput(f"there is no time zone {name[:64]!r}; use an IANA name such as Asia/Shanghai") from error


def instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    """The moment, in UTC, at which the clocks of a zone show a wall time on a day."""
    return datetime.combine(day, at, zone).astimezone(UTC)


def check_rule(rule: str, starts_on: date, zone: ZoneInfo) -> str:
    """A recurrence that the rota can follow, as it is stored. Raises BadInput."""
    text = rule.strip().upper().removeprefix("RRULE:")
    if not text:
        return ""
    if len(text) > RULE_CHARS_MAX or any(character.isspace() for character in text):
        raise BadInput(f"a recurrence has at most {RULE_CHARS_MAX} characters on one line, without spaces")
    parts = _parts(text)
    if unknown := set(parts) - _PARTS:
        raise BadInput(f"the rota does not know {', '.join(sorted(unknown))[:80]} in a recurrence")
    if parts.get("FREQ") not in ("DAILY", "WEEKLY", "MONTHLY"):
        raise BadInput("a recurrence needs FREQ=DAILY, WEEKLY or MONTHLY")
    if {"COUNT", "UNTIL"} <= set(parts):
        raise BadInput("a recurrence ends by COUNT or UNTIL, not by both")
    for name, highest in (("COUNT", COUNT_MAX), ("INTERVAL", INTERVAL_MAX)):
        value = parts.get(name)
        if value is not None and not (value.isdecimal() and len(value) < 5 and 1 <= int(value) <= highest):
            raise BadInput(f"{name} must be a whole number from 1 to {highest}")
    try:
        if "UNTIL" in parts:
            parts["UNTIL"] = _until_day(parts["UNTIL"], zone)
        ends = date(starts_on.year + FIRST_WITHIN_YEARS, 1, 1)
        if not _between({**parts}, starts_on, starts_on, ends, probe=True):
            raise BadInput(f"the recurrence does not take place within {FIRST_WITHIN_YEARS} years")
    except (ValueError, TypeError, AttributeError, IndexError) as error:
        raise BadInput("the recurrence is not one of RFC 5545") from error
    return ";".join(f"{name}={value}" for name, value in parts.items())


def _parts(rule: str) -> dict[str, str]:
    return dict(part.partition("=")[::2] for part in rule.split(";"))


def _until_day(until: str, zone: ZoneInfo) -> str:
    """The last day, in the shift's zone, of an UNTIL: the rota counts days."""
    if until.endswith("Z"):
        moment = datetime.strptime(until, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        return moment.astimezone(zone).strftime("%Y%m%d")
    return date.fromisoformat(until[:8]).strftime("%Y%m%d")


def _between(parts: dict[str, str], starts_on: date, first: date, last: date, *, probe: bool = False) -> list[date]:
    """The days of a recurrence in [first, last].

    One that does not count is begun shortly before the interval and ended with it: what a rota costs must not grow
    with its age, and a rule that no day fits must not be searched for through the centuries. `probe` stops at the
    first day.
    """
    start = starts_on
    if "COUNT" not in parts or probe:
        parts = {name: value for name, value in parts.items() if name != "COUNT"}
        parts["UNTIL"] = min(parts.get("UNTIL", "99991231"), last.strftime("%Y%m%d"))
        step = _DAYS.get(parts["FREQ"], 0) * int(parts.get("INTERVAL", "1"))
        if step:
            start += timedelta(days=step * max(0, (first - starts_on).days // step))
    text = ";".join(f"{name}={value}" for name, value in parts.items())
    rule = rrulestr(text, dtstart=_midnight(start))
    if probe:
        found = rule.after(_midnight(first), inc=True)
        return [] if found is None else [found.date()]
    return [day.date() for day in rule.between(_midnight(first), _midnight(last), inc=True)]


@lru_cache(maxsize=4096)
def _recurring(rule: str, starts_on: date, first: date, last: date) -> tuple[date, ...]:
    return tuple(_between(_parts(rule), starts_on, first, last))


def _days(shift: Shift, first: date, last: date) -> Iterator[date]:
    found = _recurring(shift.rule, shift.starts_on, first, last) if shift.rule else (shift.starts_on,)
    yield from (day for day in found if first <= day <= last and day >= shift.starts_on and day not in shift.except_on)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time())


def occurrences(shift: Shift, begin: datetime, end: datetime) -> Iterator[Occurrence]:
    """Those that overlap [begin, end), in order."""
    zone = zone_of(shift.zone)
    first = begin.astimezone(zone).date() - timedelta(days=shift.end_day + 1)
    for day in _days(shift, first, end.astimezone(zone).date() + timedelta(days=1)):
        begins_at = instant(day, shift.start_time, zone)
        ends_at = instant(day + timedelta(days=shift.end_day), shift.end_time, zone)
        if begins_at < end and ends_at > begin:
            yield Occurrence(shift, day, begins_at, ends_at)


def occurs_on(shift: Shift, day: date) -> bool:
    """Whether a shift begins on this day of its zone."""
    return day in _days(shift, day, day)
