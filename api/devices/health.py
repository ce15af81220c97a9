"""Whether a device works: its row, its model and when its sensors last spoke enter, a DeviceHealth leaves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from api.devices.schemas import BatteryHealth, DeviceHealth, DeviceModel, MetricHealth
from api.schemas import Names
from core.metrics import BY_CODE, BY_ID
from db.tenant import Transaction
from devices import models
from devices.models import Model

_STALE = timedelta(days=1)
_DAYS_MIN = 1.0
_FULL_STEP = 15.0
"""So much up from one day to the next is a new cell or a charge."""


def silent(row: dict[str, Any], now: datetime) -> bool:
    """Bound, and nothing heard for the supervised time since it last spoke or was bound."""
    if row["bound_from"] is None or row["retired_at"] is not None:
        return False
    heard = max(row["last_seen"] or row["bound_from"], row["bound_from"])
    return bool(now - heard > timedelta(seconds=row["supervision_seconds"]))


def health_of(tx: Transaction, row: dict[str, Any], now: datetime) -> DeviceHealth:
    """Everything about one device, from its row of `devices.get`."""
    model = models.find(row["model"], row["kind"])
    times = {one["metric"]: one for one in tx.all("devices.metric_times", key=row["key"])}
    return DeviceHealth(
        **{name: row[name] for name in ("id", "last_seen", "last_sample", "rssi", "firmware", "supervision_seconds")},
        online=bool(row["online"]),
        silent=silent(row, now),
        battery=row["battery"],
        model=DeviceModel(code=model.code, name=Names(zh=model.names.zh, en=model.names.en), mains=model.mains),
        power=_power(tx, row, model, now),
        metrics=[*_sensors(row, model, times, now)],
        gateway=row["gateway"],
        children=[one["id"] for one in tx.all("devices.children", key=row["key"])],
    )


def _sensors(row: dict[str, Any], model: Model, times: dict[int, Any], now: datetime) -> list[MetricHealth]:
    """What the model samples and whatever else was heard, each with its own liveness: its last sample."""
    sensors = {BY_CODE[sensor.metric].id: sensor for sensor in model.sensors}
    found = []
    watched = {metric for metric, sensor in sensors.items() if sensor.supervision is not None}
    for metric in sorted(set(times) | watched):
        if metric not in BY_ID:
            continue
        sensor, heard = sensors.get(metric), times.get(metric)
        since = max((at for at in (heard and heard["received"], row["bound_from"]) if at), default=None)
        limit = sensor.supervision if sensor else None
        state: Literal["ok", "silent", "never", "unwatched"] = "ok"
        if limit is None or row["bound_from"] is None:
            state = "unwatched" if heard else "never"
        elif heard is None:
            state = "never"
        elif since is not None and now - since > timedelta(seconds=limit):
            state = "silent"
        found.append(
            MetricHealth(
                metric=BY_ID[metric].code,
                last_sample=heard and heard["time"],
                last_received=heard and heard["received"],
                expected_seconds=sensor.expected if sensor else None,
                supervision_seconds=limit,
                state=state,
            )
        )
    return found


def _power(tx: Transaction, row: dict[str, Any], model: Model, now: datetime) -> BatteryHealth | None:
    """The battery by its model's limits. A level that is old is unknown, and unknown is not well."""
    if model.battery is None:
        return None
    told = tx.first("devices.battery", key=row["key"])
    level, at = (told["value"], told["time"]) if told else (None, None)
    if row["battery"] is not None and row["status_time"] is not None and (at is None or row["status_time"] > at):
        level, at = row["battery"], row["status_time"]
    state: Literal["ok", "low", "critical", "unknown"] = "ok"
    if level is None or at is None or now - at > max(_STALE, timedelta(seconds=row["supervision_seconds"])):
        state = "unknown"
    elif level <= model.battery.critical:
        state = "critical"
    elif level <= model.battery.low:
        state = "low"
    days = [
        (one["day"], one["level"]) for one in tx.all("devices.battery_days", key=row["key"], since=now - 60 * _STALE)
    ]
    return BatteryHealth(
        chemistry=model.battery.chemistry,
        level=level,
        measured_at=at,
        low=model.battery.low,
        critical=model.battery.critical,
        state=state,
        days_left=days_left(days),
    )


def days_left(days: Sequence[tuple[datetime, float]]) -> float | None:
    """Until empty, at the mean pace since the last charge; None where too little is known.

    days: (day, level in %) in the order of time.
    """
    begin = 0
    for at in range(1, len(days)):
        if days[at][1] >= days[at - 1][1] + _FULL_STEP:
            begin = at
    if len(days) - begin < 2:
        return None
    (first, top), (last, level) = days[begin], days[-1]
    spent = (last - first).total_seconds() / 86_400
    if spent < _DAYS_MIN or level >= top:
        return None
    return round(level / ((top - level) / spent), 1)
