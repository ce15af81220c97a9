"""Quiet hours in wall time: over midnight, in the contact's own zone, on days of 23 and 25 hours."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from alerts.family.quiet import quiet_until


@pytest.mark.parametrize(
    ("hour", "until"), [(21.9, None), (22, 7), (23.5, 7), (3, 7), (6.99, 7), (7, None), (12, None)]
)
@pytest.mark.parametrize("zone", ["Asia/Shanghai", "Europe/Berlin", "America/New_York"])
def test_hours_over_midnight(zone: str, hour: float, until: int | None) -> None:
    clock = ZoneInfo(zone)
    now = datetime(2026, 6, 10, tzinfo=clock) + timedelta(hours=hour)
    over = quiet_until(time(22), time(7), zone, now.astimezone(UTC))
    assert (over.astimezone(clock).hour if over else None) == until
    if over is not None:
        assert now < over <= now + timedelta(hours=9)


def test_pain_36_quiet_hours_end_at_the_wall_time_also_when_the_clocks_move() -> None:
    for day in (datetime(2026, 3, 29, 0, tzinfo=UTC), datetime(2026, 10, 25, 0, tzinfo=UTC)):
        over = quiet_until(time(22), time(7), "Europe/Berlin", day)
        assert over is not None
        assert over.astimezone(ZoneInfo("Europe/Berlin")).time() == time(7)


def test_no_hours_and_unknown_zones() -> None:
    now = datetime(2026, 6, 10, 16, tzinfo=UTC)  # midnight in Shanghai
    assert quiet_until(None, None, "Asia/Shanghai", now) is None
    assert quiet_until(time(22), time(7), "no/where", now) == quiet_until(time(22), time(7), "Asia/Shanghai", now)
    assert quiet_until(time(0), time(0), "Asia/Shanghai", now) == now + timedelta(days=1), "quiet all day"
