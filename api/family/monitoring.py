"""Whether somebody is watched over: devices, watchers and absences enter, an honest answer with reasons leaves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final, Literal
from uuid import UUID

from api.family.schemas import MonitoredDevice, Monitoring
from api.schemas import Names
from core.vocabulary import DEVICE_KINDS
from core.vocabulary import Names as Pair
from db.tenant import Transaction

WATCHERS: Final = {
    "ingest": Names(zh="平台未在接收设备数据", en="the platform is not receiving from devices"),
    "alerts": Names(zh="平台的报警处理未在运行", en="the platform is not watching for alerts"),
}
SIGN_OF_LIFE_SECONDS: Final = 30.0
BATTERY_LOW_PERCENT: Final = 10.0

_LEVELS: Final = {
    "full": Names(zh="守护中", en="Monitored"),
    "partly": Names(zh="部分守护中", en="Partly monitored"),
    "none": Names(zh="当前未守护", en="Not monitored now"),
}
_GONE: Final = ("discharged", "deceased")


def judge(tx: Transaction, resident_id: UUID, now: datetime) -> Monitoring:
    """The answer for one resident at this moment.

    Not monitored: no device of theirs is heard of, or the platform itself does not watch. Partly: one device is
    silent, a battery is nearly empty, or they are away, so that what is concluded from their home is held.
    """
    status = tx.one("residents.get", resident=resident_id)["status"]
    away = tx.first("away.current", resident=resident_id, now=now)
    found = conclude(status, tx.all("monitoring.devices", resident=resident_id, now=now), away, watchers(tx, now), now)
    return Monitoring(
        resident_id=resident_id,
        at=now,
        monitored=found.level != "none",
        level=found.level,
        name=found.name,
        reasons=found.reasons,
        devices=found.devices,
        away_until=away["until"] if away else None,
        open_alerts=tx.one("monitoring.open_alerts", resident=resident_id)["n"],
    )


@dataclass(frozen=True, slots=True)
class Conclusion:
    """How well somebody is watched over, and why not better."""

    level: Literal["full", "partly", "none"]
    name: Names
    reasons: list[Names]
    devices: list[MonitoredDevice]


def conclude(
    status: str, rows: list[dict[str, Any]], away: dict[str, Any] | None, broken: list[Names], now: datetime
) -> Conclusion:
    """Decide from a resident's status, the rows of their devices, an absence, and which watchers are broken."""
    devices = [_device(row, now) for row in rows]
    if status in _GONE:
        broken = [Names(zh="老人已不在本机构", en="the resident is no longer here")]
    reasons = [*broken, *_about_devices(devices)]
    if away is not None:
        reasons.append(_about_away(away))
    working = any(device.working for device in devices)
    level: Literal["full", "partly", "none"] = "none" if broken or not working else "partly" if reasons else "full"
    return Conclusion(level, _LEVELS[level], reasons, devices)


def watchers(tx: Transaction, now: datetime) -> list[Names]:
    """What of the platform itself does not watch now."""
    alive = {row["role"]: row["at"] for row in tx.all("monitoring.watchers")}
    fresh = now - timedelta(seconds=SIGN_OF_LIFE_SECONDS)
    return [names for role, names in WATCHERS.items() if role not in alive or alive[role] < fresh]


def _device(row: dict[str, Any], now: datetime) -> MonitoredDevice:
    reason = _why_not(row, now)
    low = row["battery"] is not None and row["battery"] <= BATTERY_LOW_PERCENT
    note = Names(zh="电量低", en="battery low") if low and reason is None else reason
    return MonitoredDevice(
        kind=row["kind"],
        kind_name=_kind_names(row["kind"]),
        name=row["name"],
        working=reason is None,
        last_sample=row["last_sample"],
        battery=row["battery"],
        reason=note,
    )


@lru_cache(maxsize=1000)
def _kind_names(kind: str) -> Names:
    pair = DEVICE_KINDS.get(kind, Pair(kind, kind))
    return Names(zh=pair.zh, en=pair.en)


def _why_not(row: dict[str, Any], now: datetime) -> Names | None:
    """Why a device cannot be relied on, by its last sample: that its connection is up says nothing of its sensor."""
    if row["retired_at"] is not None:
        return Names(zh="设备已停用", en="out of service")
    if row["last_sample"] is None:
        return Names(zh="尚未收到数据", en="never heard of")
    if now - row["last_sample"] > timedelta(seconds=row["supervision_seconds"]):
        return Names(zh="失联", en="silent for too long")
    return None


def _about_devices(devices: list[MonitoredDevice]) -> list[Names]:
    if not devices:
        return [Names(zh="没有绑定设备", en="no device is bound")]
    return [
        Names(zh=f"{one.kind_name.zh}{one.name}：{one.reason.zh}", en=f"{one.kind_name.en} {one.name}: {one.reason.en}")
        for one in devices
        if one.reason is not None
    ]


def _about_away(away: dict[str, Any]) -> Names:
    kind = Names(zh="住院", en="in hospital") if away["kind"] == "hospital" else Names(zh="外出", en="away")
    until = away["until"].isoformat()
    return Names(
        zh=f"{kind.zh}中，居家规则暂缓；随身呼叫始终有效",
        en=f"{kind.en} until {until}: rules about the home are paused, a call for help never is",
    )
