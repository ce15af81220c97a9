"""Quiet hours: a contact's wall times and zone enter, until when to wait leaves. Pure; never asked for the urgent."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from alerts.rota.calendar import instant


def quiet_until(begin: time | None, end: time | None, zone: str, now: datetime) -> datetime | None:
    """The moment at which the quiet hours that `now` lies in are over, or None where it lies in none.

    Wall times of an IANA zone; an end before the begin is on the next day, the same time twice is a whole day's quiet
    that ends at that time.
    """
    if begin is None or end is None:
        return None
    try:
        clock = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        clock = ZoneInfo("Asia/Shanghai")
    today = now.astimezone(clock).date()
    for day in (today - timedelta(days=1), today):
        over = instant(day + timedelta(days=0 if end > begin else 1), end, clock)
        if instant(day, begin, clock) <= now < over:
            return over
    return None
