"""What runs out: licences, papers, agreements enter by their last day; warnings to those who answer for them leave."""

from __future__ import annotations

from typing import Final

from core.clock import Clock
from core.days import local_day
from db.pool import Pool
from db.tenant import service_transaction

WARN_DAYS: Final = (90, 30, 7, 0)
"""So many days before its end a thing is warned of, once each; the last time when it is over. Own aims, no standard."""
KINDS_ZH: Final = {
    "licence": "机构证照",
    "certificate": "人员证书",
    "work_licence": "执业证",
    "health": "健康证",
    "provider": "服务商资质",
    "agreement": "入住协议",
}


def warn_of_expiry(pool: Pool, clock: Clock) -> int:
    """Notices to the administrators, each thing once for each distance; how many. Raises Unavailable."""
    now = clock.now()
    with service_transaction(pool) as tx:
        return tx.run(
            "expiry.warn", now=now, today=local_day(now), days=list(WARN_DAYS), codes=list(KINDS_ZH),
            names=list(KINDS_ZH.values()),
        )  # fmt: skip
