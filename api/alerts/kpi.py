"""Response figures: counts by institution, month, shift, type and urgency enter; shares with denominators leave.

One set of counts, added up in several ways: so the parts always make the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from typing import Any, Final

from alerts.service import type_names
from api.alerts.schemas import Indicator, Kpi, KpiGroup, KpiSlice, KpiSlices
from api.schemas import Names
from core.settings import Settings
from db.tenant import Transaction

INDICATORS: Final = (
    ("answered_60s", "60秒内响应率", "Answered within 60 s", "answered_60", "due_60", 0.975),
    ("answered_180s", "180秒内响应率", "Answered within 180 s", "answered_180", "due_180", 0.99),
    ("on_site_15min", "15分钟内到场率", "On site within 15 min", "reached_900", "due_900", None),
    ("on_site_30min", "30分钟内到场率", "On site within 30 min", "reached_1800", "due_1800", None),
    ("on_site_45min", "45分钟内到场率", "On site within 45 min", "reached_2700", "due_2700", 0.90),
    ("on_site_60min", "60分钟内到场率", "On site within 60 min", "reached_3600", "due_3600", 1.0),
    ("false_alarm_share", "误报占比", "Share of false alarms", "false_alarms", "resolved", None),
)
_PLAIN: Final = ("alerts", "tests", "self_resolved", "unanswered")
_COUNTED: Final = (*_PLAIN, *(name for _, _, _, *pair, _ in INDICATORS for name in pair))
SHIFTS: Final[dict[str, Names]] = {
    "day": Names(zh="白班", en="Day"),
    "evening": Names(zh="晚班", en="Evening"),
    "night": Names(zh="夜班", en="Night"),
}

Row = Mapping[str, Any]


@dataclass(slots=True)
class _Sum:
    """Counts of a group of alerts, and what they are measured against."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_COUNTED, 0))
    resident_days: float = 0.0
    caregiver_days: float = 0.0

    def add(self, row: Row) -> None:
        for name in _COUNTED:
            self.counts[name] += row[name]

    def add_days(self, row: Row) -> None:
        self.resident_days += row["resident_days"]
        self.caregiver_days += row["caregiver_days"]


def shifts_of(settings: Settings) -> dict[str, time]:
    """When each shift begins, in the platform's wall time."""
    return {"day": settings.shift_day_from, "evening": settings.shift_evening_from, "night": settings.shift_night_from}


def read(tx: Transaction, settings: Settings, start: datetime, end: datetime, now: datetime) -> Kpi:
    """Every figure of the alerts opened in [start, end) that the transaction's tenant may count."""
    shifts = shifts_of(settings)
    span = {"from": start, "to": end, "now": now, "zone": settings.timezone}
    rows = tx.all("alert_kpi.counts", **span, starts=list(shifts.values()), shifts=list(shifts))
    days = tx.all("alert_kpi.days", **span)
    houses = {row["institution_id"]: row for row in days}

    def house_name(key: str) -> Names:
        row = next(row for row in houses.values() if row["code"] == key)
        return Names(zh=row["name_zh"], en=row["name_en"] or row["name_zh"])

    def alert_name(key: str) -> Names:
        pair = type_names(key)
        return Names(zh=pair.zh, en=pair.en)

    slices = KpiSlices(
        month=_slices(rows, days, _month, _month, lambda key: Names(zh=f"{key[:4]}年{int(key[5:])}月", en=key)),
        institution=_slices(
            rows, days, lambda row: houses[row["institution_id"]]["code"], lambda row: row["code"], house_name
        ),
        shift=_slices(rows, days, lambda row: row["shift"], None, SHIFTS.__getitem__, list(SHIFTS)),
        type=_slices(rows, days, lambda row: row["type"], None, alert_name),
    )
    urgent, everything = _both(rows, days)
    fields: dict[str, Any] = group_of(urgent).model_dump()
    fields |= {"from": start, "to": end, "all_severities": group_of(everything), "by": slices}
    return Kpi(**fields)


def _month(row: Row) -> str:
    return f"{row['month']:%Y-%m}"


def _both(rows: Iterable[Row], days: Iterable[Row]) -> tuple[_Sum, _Sum]:
    """The urgent alerts of some counts, and all of them."""
    urgent, everything = _Sum(), _Sum()
    for row in rows:
        everything.add(row)
        if row["urgent"]:
            urgent.add(row)
    for row in days:
        urgent.add_days(row)
        everything.add_days(row)
    return urgent, everything


def _slices(
    rows: list[Any],
    days: list[Any],
    key_of: Callable[[Row], str],
    key_of_days: Callable[[Row], str] | None,
    name_of: Callable[[str], Names],
    order: list[str] | None = None,
) -> list[KpiSlice]:
    """One slice for each key. Without `key_of_days` every slice is measured against all days: the same people."""
    keys = set(map(key_of, rows)) | (set(map(key_of_days, days)) if key_of_days else set())
    found = []
    for key in order or sorted(keys):
        mine = [row for row in rows if key_of(row) == key]
        my_days = [row for row in days if key_of_days(row) == key] if key_of_days else days
        urgent, everything = _both(mine, my_days)
        fields: dict[str, Any] = group_of(urgent).model_dump()
        found.append(KpiSlice(key=key, name=name_of(key), **fields, all_severities=group_of(everything)))
    return found


def group_of(total: _Sum) -> KpiGroup:
    """Shares of one group; a share of nothing is no number."""
    indicators = []
    for code, zh, en, numerator, denominator, target in INDICATORS:
        above, below = total.counts[numerator], total.counts[denominator]
        value = above / below if below else None
        indicators.append(
            Indicator(
                code=code,
                name=Names(zh=zh, en=en),
                numerator=above,
                denominator=below,
                value=value,
                percent=None if value is None else round(100 * value, 2),
                target=target,
                met=None if value is None or target is None else value >= target,
            )
        )
    in_earnest = total.counts["alerts"] - total.counts["tests"]
    return KpiGroup(
        **{name: total.counts[name] for name in _PLAIN},
        indicators=indicators,
        resident_days=round(total.resident_days, 3),
        caregiver_days=round(total.caregiver_days, 3),
        per_resident_day=_rate(in_earnest, total.resident_days),
        per_caregiver_day=_rate(in_earnest, total.caregiver_days),
    )


def _rate(count: int, days: float) -> float | None:
    return round(count / days, 6) if days > 0 else None
