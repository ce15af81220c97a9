"""Who wore which device when: rows of devices, bindings and limits enter, arrays for looking up whole batches leave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alerts.detectors.place import Fence
from core import limits
from core.clock import Clock
from core.metrics import BY_CODE
from db.tenant import Transaction
from devices import models

_MS_BITS = 43
SUPERVISED_METRICS = sorted(
    {
        BY_CODE[sensor.metric].id
        for model in (*models.KINDS.values(), *models.MODELS)
        for sensor in model.sensors
        if sensor.supervision is not None
    }
)
_BATHROOM_WORDS = ("bathroom", "toilet", "卫生间", "厕所", "浴室", "洗手间")
_INNER_WORDS = (
    *("fridge", "refrigerator", "cupboard", "wardrobe", "drawer", "medicine", "microwave", "inner"),
    *("冰箱", "橱柜", "衣柜", "柜门", "抽屉", "药盒", "药柜", "微波炉", "室内门", "卧室门"),
    *_BATHROOM_WORDS,
)
"""Contacts so called are doors through which nobody goes out."""


class Bindings:
    """Intervals in which a device served a resident; looked up for many readings in one pass.

    rows: `device_key`, `bound_from`, `bound_to` (None for open), `resident_key`; intervals of a device do not overlap.
    """

    def __init__(self, rows: Sequence[dict[str, Any]]) -> None:
        ordered = sorted(rows, key=lambda row: (row["device_key"], row["bound_from"]))
        self._device = np.array([row["device_key"] for row in ordered], np.int64)
        self._from = np.array([row["bound_from"].timestamp() for row in ordered], np.float64)
        ends = [row["bound_to"].timestamp() if row["bound_to"] else np.inf for row in ordered]
        self._to = np.array(ends, np.float64)
        self._resident = np.array([row["resident_key"] for row in ordered], np.int64)
        self._known = np.unique(self._device)
        self._order = self._key(self._device, self._from)

    def residents(self, device_key: NDArray[Any], time: NDArray[np.float64]) -> NDArray[np.int64]:
        """The resident of each (device, Unix seconds), -1 where there was none; all arrays have n elements."""
        if not len(self._device) or not len(device_key):
            return np.full(len(device_key), -1, np.int64)
        device = device_key.astype(np.int64)
        at = np.searchsorted(self._order, self._key(device, time), side="right") - 1
        row = np.maximum(at, 0)
        fits = (at >= 0) & (self._device[row] == device) & (time >= self._from[row]) & (time < self._to[row])
        return np.where(fits, self._resident[row], -1)

    def _key(self, device: NDArray[np.int64], time: NDArray[np.float64]) -> NDArray[np.int64]:
        """Device and time in one sortable number: rank of the device, then milliseconds, rounded up."""
        milliseconds = np.ceil(np.clip(np.nan_to_num(time), 0, 8e9) * 1000).astype(np.int64)
        return (np.searchsorted(self._known, device).astype(np.int64) << _MS_BITS) | milliseconds


@dataclass(frozen=True, slots=True)
class Directory:
    """What the detectors need to know of devices and people, as it was when it was loaded."""

    devices: dict[int, dict[str, Any]]
    bindings: Bindings
    limits: list[dict[str, Any]]
    clinical: list[dict[str, Any]] = field(default_factory=list)
    sensor_times: list[dict[str, Any]] = field(default_factory=list)
    """Rows of `alerts.sensor_times`: when each supervised sensor was last heard."""
    sensitivities: list[dict[str, Any]] = field(default_factory=list)
    fences: list[dict[str, Any]] = field(default_factory=list)
    _bathrooms: NDArray[np.int64] = field(init=False)
    _inner: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_bathrooms", self._called(_BATHROOM_WORDS))
        object.__setattr__(self, "_inner", self._called(_INNER_WORDS))

    def _called(self, words: Sequence[str]) -> NDArray[np.int64]:
        """Keys of the devices whose name or position holds one of the words."""
        return np.array(
            [
                key
                for key, row in self.devices.items()
                if any(word in f"{row.get('name') or ''} {row.get('position') or ''}".lower() for word in words)
            ],
            np.int64,
        )

    def position(self, device_key: int) -> str:
        """Where a device is worn, as far as anyone has said; of a wristband nobody has to say it."""
        row = self.devices.get(device_key) or {}
        return row.get("position") or ("wrist" if row.get("kind") == "wristband" else "unknown")

    def in_bathroom(self, device_key: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which devices hang in a bathroom, by what they are called."""
        return np.isin(device_key, self._bathrooms)

    def indoors(self, device_key: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which contacts are on a fridge, a cupboard, an inner door: whoever opens them has not gone out."""
        return np.isin(device_key, self._inner)


def safe_areas(rows: Sequence[dict[str, Any]]) -> dict[int, list[Fence]]:
    """The fences in force of each resident key."""
    areas: dict[int, list[Fence]] = {}
    for row in rows:
        corners = tuple((float(lat), float(lon)) for lat, lon in row["corners"])
        fence = Fence(corners, float(row["radius_m"]), row["from_minute"], row["to_minute"])
        areas.setdefault(row["resident_key"], []).append(fence)
    return areas


def load(tx: Transaction, clock: Clock) -> Directory:
    """Read devices, bindings that may still matter to late readings, and personal limits."""
    since = clock.now() - timedelta(seconds=limits.CLOCK_PAST_SECONDS + 86_400)
    devices = {row["key"]: row for row in tx.all("alerts.watched_devices", now=clock.now())}
    bindings = Bindings(tx.all("alerts.bindings", since=since))
    limits_set = tx.all("alerts.vital_limits", now=clock.now())
    times = tx.all("alerts.sensor_times", now=clock.now(), metrics=SUPERVISED_METRICS)
    clinical = tx.all("clinical.current_of_all", now=clock.now())
    learned = tx.all("restraint.sensitivities")
    fences = tx.all("fences.all_in_force")
    return Directory(devices, bindings, limits_set, clinical, times, learned, fences)
