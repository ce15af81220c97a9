"""The series of the indicators: the time enters, this month's counts and facilities of every
institution leave, anew each day.
"""

from __future__ import annotations

from core.clock import Clock
from core.days import local_day
from db.pool import Pool
from db.tenant import service_transaction


def keep_month(pool: Pool, clock: Clock) -> int:
    """Write the present month's counts; how many rows. The last writing of a month stays. Raises Unavailable."""
    with service_transaction(pool) as tx:
        month = local_day(clock.now()).replace(day=1)
        tx.run("supervision.keep_month_facilities", month=month, at=clock.now())
        return tx.run("supervision.keep_month", month=month, at=clock.now())
