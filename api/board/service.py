"""Residents of a tenant enter with everything known about them now; cards of the board leave.

A constant number of queries for any number of residents.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from alerts.service import type_names
from api.alerts.views import names
from api.board.schemas import BoardAlert, BoardCard, BoardMonitoring, BoardResident, BoardSeen, BoardVital
from api.family import monitoring
from api.schemas import Names
from core.metrics import BY_CODE, BY_ID
from core.vocabulary import DEVICE_KINDS, STATE_NAMES
from core.vocabulary import Names as Pair
from db.tenant import Transaction

TREND_STEP: Final = timedelta(minutes=5)
TREND_POINTS: Final = 24
VITALS: Final = tuple(
    BY_CODE[code].id for code in ("heart_rate", "spo2", "resp_rate", "body_temp", "bp_sys", "bp_dia", "glucose")
)
_SEEN: Final = {
    BY_CODE["motion"].id: Names(zh="有活动", en="moving"),
    BY_CODE["bed"].id: Names(zh="在床", en="in bed"),
    BY_CODE["door"].id: Names(zh="门口", en="at the door"),
    BY_CODE["lat"].id: Names(zh="室外定位", en="out, located"),
}
_ONLY_IF_SET: Final = frozenset({BY_CODE["motion"].id, BY_CODE["bed"].id})
"""Zero of these tells of nobody."""

Row = dict[str, Any]
Trends = dict[tuple[UUID, int], dict[datetime, float]]


def residents(tx: Transaction, *, after: Sequence[str] | None, limit: int) -> list[Row]:
    """Residents by place, after a key of (building, floor, room, id)."""
    return tx.all("board.residents", after=list(after) if after else None, limit=limit)


def key(row: Row) -> list[str]:
    """What the list is sorted by."""
    return [row["building"], row["floor"], row["room"], str(row["id"])]


def trends(tx: Transaction, ids: Sequence[UUID], now: datetime) -> Trends:
    """Means of each vital sign, by resident and metric, of the last TREND_POINTS steps."""
    found: Trends = defaultdict(dict)
    start = trend_start(now)
    for row in tx.all(
        "board.trends", residents=list(ids), metrics=list(VITALS), now=now, start=start, width=TREND_STEP
    ):
        found[row["resident_id"], row["metric"]][row["t"]] = round(float(row["avg"]), 2)
    return found


def trend_start(now: datetime) -> datetime:
    """The beginning of the first step."""
    step = TREND_STEP.total_seconds()
    newest = datetime.fromtimestamp(now.timestamp() // step * step, now.tzinfo)
    return newest - (TREND_POINTS - 1) * TREND_STEP


def cards(tx: Transaction, rows: Sequence[Row], now: datetime, way: Trends) -> list[BoardCard]:
    """The cards of these residents."""
    ids = [row["id"] for row in rows]
    latest = _by_resident(tx.all("board.latest", residents=ids, metrics=[*VITALS, *_SEEN], now=now))
    devices = _by_resident(tx.all("board.devices", residents=ids, now=now))
    away = {row["resident_id"]: row for row in tx.all("board.away", residents=ids, now=now)}
    alerts = _by_resident(tx.all("board.alerts", residents=ids))
    broken = monitoring.watchers(tx, now)
    start = trend_start(now)
    steps = [start + step * TREND_STEP for step in range(TREND_POINTS)]
    found = []
    for row in rows:
        one = row["id"]
        watched = monitoring.conclude(row["status"], devices[one], away.get(one), broken, now)
        found.append(
            BoardCard(
                resident=BoardResident(**row),
                monitoring=BoardMonitoring(
                    level=watched.level,
                    name=watched.name,
                    reasons=watched.reasons,
                    away_until=away[one]["until"] if one in away else None,
                ),
                vitals=[
                    _vital(value, way.get((one, value["metric"]), {}), steps)
                    for value in latest[one]
                    if value["metric"] in VITALS
                ],
                seen=_seen(latest[one]),
                alerts=[_alert(alert) for alert in alerts[one]],
            )
        )
    return found


def _by_resident(rows: list[Row]) -> defaultdict[UUID, list[Row]]:
    found: defaultdict[UUID, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["resident_id"]].append(row)
    return found


def _vital(row: Row, way: dict[datetime, float], steps: Sequence[datetime]) -> BoardVital:
    metric = BY_ID[row["metric"]]
    trend = [way.get(step) for step in steps]
    if row["time"] >= steps[-1]:
        # The present step is still being filled: its newest value says more than a mean that comes late.
        trend[-1] = row["value"]
    return BoardVital(
        metric=metric.code,
        name=_metric_names(row["metric"]),
        unit=metric.unit,
        value=row["value"],
        t=row["time"],
        trend=trend,
    )


@lru_cache(maxsize=1000)
def _metric_names(number: int) -> Names:
    metric = BY_ID[number]
    return Names(zh=metric.zh, en=metric.en)


@lru_cache(maxsize=1000)
def _type_names(alert_type: str) -> Names:
    return names(type_names(alert_type))


_STATE_NAMES: Final = {state.value: names(pair) for state, pair in STATE_NAMES.items()}


def _seen(rows: list[Row]) -> BoardSeen | None:
    told = [row for row in rows if row["metric"] in _SEEN and (row["value"] > 0 or row["metric"] not in _ONLY_IF_SET)]
    if not told:
        return None
    last = max(told, key=lambda row: row["time"])
    what = _SEEN[last["metric"]]
    kind = DEVICE_KINDS.get(last["kind"], Pair(last["kind"], last["kind"]))
    where = last["room"] or last["name"]
    place = Names(zh=f"{where or kind.zh} {what.zh}", en=f"{where or kind.en} {what.en}")
    return BoardSeen(metric=BY_ID[last["metric"]].code, place=place, t=last["time"])


def _alert(row: Row) -> BoardAlert:
    return BoardAlert(
        **{name: row[name] for name in ("id", "type", "severity", "state", "opened_at", "occurrences")},
        test=row["test"] is True,
        type_name=_type_names(row["type"]),
        state_name=_STATE_NAMES[row["state"]],
    )
