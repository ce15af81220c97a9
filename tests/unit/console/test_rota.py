"""The rota's page: planned shifts give holes, rules of recurrence give what a person chooses, and come back."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from api.console.repeat import Repeat, read, write
from api.console.rota import holes

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
MONDAY = date(2026, 3, 2)


def shift(begins_hours: float, ends_hours: float) -> dict[str, str]:
    begins, ends = (BEGIN + timedelta(hours=one) for one in (begins_hours, ends_hours))
    return {"begins_at": begins.isoformat(), "ends_at": ends.isoformat()}


def spans(*planned: tuple[float, float], end: float = 24) -> list[tuple[float, float]]:
    found = holes([shift(*one) for one in planned], BEGIN, BEGIN + timedelta(hours=end))
    return [((a - BEGIN) / timedelta(hours=1), (b - BEGIN) / timedelta(hours=1)) for a, b in found]


def test_holes_lie_before_between_and_after_shifts() -> None:
    assert spans() == [(0, 24)]
    assert spans((6, 14), (15, 20)) == [(0, 6), (14, 15), (20, 24)]


def test_shifts_that_meet_or_overlap_leave_no_hole() -> None:
    assert spans((-2, 8), (8, 16), (10, 12), (15.5, 26)) == []


def test_a_short_shift_within_a_long_one_does_not_end_it() -> None:
    assert spans((0, 20), (3, 4)) == [(20, 24)]


def test_what_lies_after_the_week_makes_no_hole_within() -> None:
    assert spans((0, 10), (30, 40)) == [(10, 24)]


@pytest.mark.parametrize(
    "rule",
    ["", "FREQ=DAILY", "FREQ=DAILY;UNTIL=20260401", "FREQ=WEEKLY;BYDAY=MO,FR", "FREQ=WEEKLY;BYDAY=SU;UNTIL=20261231"],
)
def test_a_rule_that_is_read_and_written_says_the_same(rule: str) -> None:
    assert write(read(rule), MONDAY) == rule


@pytest.mark.parametrize("rule", ["FREQ=MONTHLY;BYMONTHDAY=1", "FREQ=DAILY;INTERVAL=4", "FREQ=WEEKLY;BYDAY=1MO"])
def test_a_rule_that_cannot_be_drawn_is_kept_as_it_is(rule: str) -> None:
    assert read(rule).how == "other"
    assert write(read(rule), MONDAY) == rule


def test_weekly_without_a_day_is_the_day_it_starts_on() -> None:
    assert write(Repeat("weekly", []), date(2026, 3, 5)) == "FREQ=WEEKLY;BYDAY=TH"
