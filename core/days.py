"""Days of people: a moment enters, the day that it is in China leaves, and the other way round.

The database keeps moments in UTC; a licence, a contract, a bill run by the calendar on the wall.
"""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Final
from zoneinfo import ZoneInfo

CHINA: Final = ZoneInfo("Asia/Shanghai")


def local_day(moment: datetime) -> date:
    """The day in China at this moment."""
    return moment.astimezone(CHINA).date()


def end_of_day(day: date) -> datetime:
    """The last moment of a day in China: what holds until a day holds through it."""
    return datetime.combine(day, time.max, tzinfo=CHINA)
