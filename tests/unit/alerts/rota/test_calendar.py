"""Shifts in wall time: days of 23 and 25 hours, zones without them, recurrences, and an hour-by-hour twin."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.rota.calendar import Shift, check_rule, instant, occurrences, occurs_on
from core.errors import BadInput

ID = UUID(int=1)
ZONES = ("Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "UTC")


def shift(begin: str, end: str, zone: str, start: date = date(2026, 1, 1), rule: str = "FREQ=DAILY") -> Shift:
    starts, ends = time.fromisoformat(begin), time.fromisoformat(end)
    return Shift(ID, ID, start, starts, ends, 0 if ends > starts else 1, zone, rule)


def hours(one: Shift, day: date) -> list[float]:
    """The lengths of the occurrences that begin on a day, in hours."""
    zone = ZoneInfo(one.zone)
    begin = datetime.combine(day, time(), zone)
    found = occurrences(one, begin, begin + timedelta(hours=36))
    return [(o.ends_at - o.begins_at).total_seconds() / 3600 for o in found if o.on == day]


@pytest.mark.parametrize(
    ("zone", "day", "length"),
    [
        ("Europe/Berlin", date(2026, 3, 28), 7),
        ("Europe/Berlin", date(2026, 10, 24), 9),
        ("America/New_York", date(2026, 3, 7), 7),
        ("America/New_York", date(2026, 10, 31), 9),
        ("Australia/Lord_Howe", date(2026, 4, 4), 8.5),
        ("Asia/Shanghai", date(2026, 3, 28), 8),
        ("Asia/Shanghai", date(2026, 10, 24), 8),
    ],
)
def test_pain_36_a_night_shift_is_from_ten_to_six_on_every_day_of_the_year(zone: str, day: date, length: float) -> None:
    night = shift("22:00", "06:00", zone)
    assert hours(night, day) == [length]
    (one,) = (
        o for o in occurrences(night, instant(day, time(12), ZoneInfo(zone)), instant(day, time(23), ZoneInfo(zone)))
    )
    assert one.begins_at.astimezone(ZoneInfo(zone)).time() == time(22)
    assert one.ends_at.astimezone(ZoneInfo(zone)).time() == time(6)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("border", ["02:00", "02:30", "06:00", "23:30", "00:00"])
def test_pain_36_shifts_that_meet_on_the_clock_leave_no_gap_in_any_zone(zone: str, border: str) -> None:
    """Every moment of a year, in steps of ten minutes around each change of the clocks, has exactly one on duty."""
    day, night = shift("14:00", border, zone), shift(border, "14:00", zone)
    clock = ZoneInfo(zone)
    moments = [datetime(2026, 1, 2, tzinfo=UTC) + timedelta(hours=n) for n in range(363 * 24)]
    changes = [
        m for m in moments if m.astimezone(clock).utcoffset() != (m + timedelta(hours=1)).astimezone(clock).utcoffset()
    ]
    assert bool(changes) == (zone not in ("Asia/Shanghai", "UTC"))
    for change in changes or moments[::500]:
        for step in range(-30, 30):
            at = change + timedelta(minutes=10 * step)
            here = [o for one in (day, night) for o in occurrences(one, at, at + timedelta(microseconds=1))]
            assert len(here) == 1, (zone, border, at)


@settings(max_examples=60, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    rule=st.sampled_from(
        ("FREQ=DAILY", "FREQ=DAILY;INTERVAL=3", "FREQ=WEEKLY;BYDAY=MO,TH", "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,WE", "",
         "FREQ=MONTHLY;BYMONTHDAY=31", "FREQ=DAILY;COUNT=40", "FREQ=WEEKLY;UNTIL=20270301;BYDAY=SA")
    ),
    begin=st.times().map(lambda t: t.replace(microsecond=0)),
    end=st.times().map(lambda t: t.replace(microsecond=0)),
    start=st.dates(date(2025, 1, 1), date(2026, 12, 31)),
    ahead=st.integers(0, 500),
)  # fmt: skip
def test_agrees_with_walking_through_every_day(
    zone: str, rule: str, begin: time, end: time, start: date, ahead: int
) -> None:
    from dateutil.rrule import rrulestr

    one = Shift(ID, ID, start, begin, end, 0 if end > begin else 1, zone, rule)
    clock = ZoneInfo(zone)
    window = datetime.combine(start, time(), UTC) + timedelta(days=ahead)
    found = {o.on for o in occurrences(one, window, window + timedelta(days=3))}
    first = datetime.combine(start, time())
    every = rrulestr(rule, dtstart=first).between(first, first + timedelta(days=520), inc=True) if rule else [first]
    slow = set()
    for moment in every:
        begins = datetime.combine(moment.date(), begin, clock).astimezone(UTC)
        ends = datetime.combine(moment.date() + timedelta(days=one.end_day), end, clock).astimezone(UTC)
        if begins < window + timedelta(days=3) and ends > window:
            slow.add(moment.date())
    assert found == slow


def test_a_rota_of_thirty_years_costs_what_a_new_one_does() -> None:
    old = shift("08:00", "16:00", "Asia/Shanghai", date(1996, 1, 1), "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TU")
    assert occurs_on(old, date(2026, 1, 5)) != occurs_on(old, date(2026, 1, 12)), "every second week, counted from 1996"


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=HOURLY", "FREQ=DAILY;COUNT=0", "FREQ=DAILY;COUNT=5000", "FREQ=DAILY;INTERVAL=0", "FREQ=WEEKLY;BYDAY=XX",
        "FREQ=MONTHLY;BYMONTHDAY=31;BYMONTH=2", "FREQ=DAILY;UNTIL=20200101", "FREQ=DAILY;UNTIL=tomorrow", "nonsense",
        "FREQ=DAILY;COUNT=2;UNTIL=20300101", "FREQ=DAILY\nX", "FREQ=DAILY;BYEASTER=1", "FREQ=DAILY;" + "X" * 300,
    ],
)  # fmt: skip
def test_recurrences_that_cannot_be_meant_are_refused(rule: str) -> None:
    with pytest.raises(BadInput):
        check_rule(rule, date(2026, 1, 1), ZoneInfo("Asia/Shanghai"))


def test_an_until_in_utc_means_its_day_in_the_zone_of_the_shift() -> None:
    rule = check_rule("RRULE:FREQ=DAILY;UNTIL=20260109T160000Z", date(2026, 1, 1), ZoneInfo("Asia/Shanghai"))
    assert rule == "FREQ=DAILY;UNTIL=20260110"
