"""What is usual for one person at each hour: rollups of the weeks before today enter, median and usual range leave.

The same median and MAD, floors and limit as the detector of `<metric>_unusual` has (`docs/detectors.md`), computed anew
from means of five minutes: readings while walking, which the detector passes over, are in it. An alert's evidence holds
what the detector itself went by.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from alerts.detectors.parameters import BASELINE_DAYS, BASELINE_LIMIT, BASELINE_RULES, BaselineRule
from api.access import metric_open, resident_scopes
from api.deps import API, STAFF, Audit, Caller, Tx, require
from api.schemas import Names
from api.state import State
from core.errors import Forbidden
from core.metrics import BY_CODE, BY_ID
from core.vocabulary import Role

router = APIRouter(prefix=f"{API}/residents", tags=["readings"])
READERS = (*STAFF, Role.FAMILY)
SIGMA_PER_MAD: Final = 1.4826
DAYS_DEFAULT: Final = 28
DAYS_MAX: Final = 90
RULES: Final = {BY_CODE[rule.metric].id: rule for rule in BASELINE_RULES}
_ONLY_LOW: Final = frozenset({"spo2"})


class UsualHour(BaseModel):
    """One hour of the local day; `hour` is null where one range holds for the whole day."""

    hour: int | None = Field(examples=[7])
    median: float = Field(examples=[71.5])
    low: float = Field(description="median less the limit of robust z; what lies below is unusual", examples=[60.2])
    high: float | None = Field(description="likewise above; null where only low values matter", examples=[82.8])
    readings: int = Field(examples=[168])
    days: int = Field(description="days with readings in this hour", examples=[28])
    known: bool = Field(description="whether that is enough for the detector to judge by")


class Baseline(BaseModel):
    """What is usual of one metric."""

    metric: str = Field(examples=["heart_rate"])
    name: Names
    unit: str = Field(examples=["/min"])
    hours: list[UsualHour]


class Baselines(BaseModel):
    """The usual range of each vital sign that was measured; days are those of the time zone."""

    resident_id: UUID
    first_day: date
    last_day: date = Field(description="yesterday: today is compared with the days before it")
    time_zone: str = Field(examples=["Asia/Shanghai"])
    robust_z: float = Field(description="how many spreads from the median the range reaches", examples=[3.5])
    items: list[Baseline]


@router.get(
    "/{resident_id}/baselines", summary="个人常态范围 · What is usual, by hour", dependencies=[require(*READERS)]
)
def get_baselines(
    resident_id: UUID,
    caller: Caller,
    tx: Tx,
    state: State,
    audit: Audit,
    days: Annotated[int, Query(ge=7, le=DAYS_MAX, description="so many days before today", examples=[28])] = (
        DAYS_DEFAULT
    ),
) -> Baselines:
    """Median and usual range of the vital signs by hour of the local day; what is measured by hand has one for all."""
    scopes = resident_scopes(tx, caller, resident_id)
    if not any(metric_open(BY_ID[metric], scopes) for metric in RULES):
        raise Forbidden("there is no consent to see health data of this resident, or it is restricted")
    zone = ZoneInfo(state.settings.timezone)
    today = state.clock.now().astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    start = today - timedelta(days=days)
    rows = tx.all("readings.usual", **_range(resident_id, start, today))
    audit.record("read_baselines", "resident", resident_id)
    return Baselines(
        resident_id=resident_id,
        first_day=start.date(),
        last_day=(today - timedelta(days=1)).date(),
        time_zone=zone.key,
        robust_z=BASELINE_LIMIT.value,
        items=[_baseline(metric, rows) for metric in RULES if any(row["metric"] == metric for row in rows)],
    )


def _range(resident: UUID, start: datetime, end: datetime) -> dict[str, Any]:
    by_hour = [metric for metric, rule in RULES.items() if rule.by_hour]
    zone = getattr(start.tzinfo, "key", "UTC")
    return {
        "resident": resident, "metrics": list(RULES), "by_hour": by_hour, "zone": zone, "start": start, "end": end,
    }  # fmt: skip


def _baseline(metric: int, rows: list[dict[str, Any]]) -> Baseline:
    known, rule = BY_ID[metric], RULES[metric]
    hours = [usual(row, rule) for row in rows if row["metric"] == metric]
    return Baseline(metric=known.code, name=Names(zh=known.zh, en=known.en), unit=known.unit, hours=hours)


def usual(row: dict[str, Any], rule: BaselineRule) -> UsualHour:
    """The range of one hour: a spread is never believed to be smaller than the sensor's own noise."""
    reach = BASELINE_LIMIT.value * max(SIGMA_PER_MAD * row["mad"], rule.floor.value)
    return UsualHour(
        hour=row["hour"],
        median=row["median"],
        low=row["median"] - reach,
        high=None if rule.metric in _ONLY_LOW else row["median"] + reach,
        readings=row["readings"],
        days=row["days"],
        known=row["days"] >= BASELINE_DAYS.value and row["readings"] >= rule.warm_up.value,
    )
