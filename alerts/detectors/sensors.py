"""Silence of single sensors: readings of devices enter, `sensor_silent` raised and cleared leave.

A device that speaks without one of its sensors is alive and yet blind there: a wristband that sends its battery and no
pulse. A sensor is silent when the device was heard `interval` seconds after the sensor was, counted from the start of
the device's present run. So a device that is dead altogether, or comes back from a pause, makes none of its sensors
silent: its own silence is another alert. A sensor never heard counts from its registration.

For this detector `Batch.time` is best the time of receipt.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import numpy as np

from alerts.detectors.base import Batch, Finding, Keyed, usable
from alerts.detectors.parameters import SENSOR_LATE
from core.errors import BadInput
from core.metrics import BY_ID
from core.vocabulary import Severity

_METRICS: Final = 1 << 10
_DEVICE: Final = 0
"""In the place of a metric: the device as a whole."""


class SensorDetector(Keyed):
    """Supervision of the sensors of every registered device, each with its own interval in seconds."""

    name = "sensors"
    version = "1"
    keys = "sensor"
    fields: ClassVar = {
        "interval": ((), np.nan, np.float64),
        "since": ((), np.nan, np.float64),
        "heard": ((), np.nan, np.float64),
        "silent": ((), 0, np.int8),
    }

    def __init__(self) -> None:
        super().__init__()
        self._pauses: np.ndarray[Any, Any] | None = None

    def register(
        self, device_key: int, metric: int, interval_seconds: float, since: float, heard: float | None = None
    ) -> None:
        """Supervise one sensor from `since` on (Unix seconds), or change its interval; 0 or less ends it.

        `heard` is when it was last heard, where that is known. Raises BadInput for keys or times out of bounds.
        """
        given = [interval_seconds, since, 0.0 if heard is None else heard]
        if device_key < 0 or not 0 < metric < _METRICS or not np.isfinite(given).all():
            raise BadInput(f"cannot supervise metric {metric} of device {device_key} every {interval_seconds} s")
        device, sensor = self._row(np.array([device_key * _METRICS, device_key * _METRICS + metric]))
        s, self._pauses = self._s, None
        s["interval"][sensor] = interval_seconds
        s["since"][sensor] = np.fmax(s["since"][sensor], since)
        if np.isnan(s["since"][device]):
            s["since"][device] = since
        if heard is not None:
            s["heard"][sensor] = np.fmax(s["heard"][sensor], heard)
            s["heard"][device] = np.fmax(s["heard"][device], heard)

    def supervised(self) -> set[tuple[int, int]]:
        """The (device, metric) that are watched."""
        watched = self._rows.keys[self._s["interval"][: len(self._rows)] > 0]
        return {divmod(int(key), _METRICS) for key in watched}

    def consume(self, batch: Batch) -> list[Finding]:
        """Note what was heard; a sensor heard again is no longer silent, a device's last one clears the alert."""
        batch = usable(batch)
        known = (batch.metric > 0) & (batch.metric < _METRICS)
        device, metric, time = batch.subject[known], batch.metric[known].astype(np.int64), batch.time[known]
        s, n = self._s, len(self._rows)
        whole = self._rows.find(device * _METRICS)
        self._begin_runs(whole[whole >= 0], time[whole >= 0])
        np.fmax.at(s["heard"], whole[whole >= 0], time[whole >= 0])
        rows = self._rows.find(device * _METRICS + metric)
        rows, time = rows[rows >= 0], time[rows >= 0]
        before = s["heard"][:n].copy()
        np.fmax.at(s["heard"], rows, time)
        fresh = np.zeros(n, bool)
        fresh[rows] = True
        fresh &= (s["silent"][:n] > 0) & ~(s["heard"][:n] <= before)
        s["silent"][:n][fresh] = 0
        return self._ended(np.flatnonzero(fresh))

    def tick(self, now: float) -> list[Finding]:
        """Raise the sensors that are missed; those whose supervision has ended are over."""
        if not np.isfinite(now):
            return []
        s, n = self._s, len(self._rows)
        # A device clock that runs ahead must not make its other sensors look silent.
        s["heard"][:n] = np.where(s["heard"][:n] > now, now, s["heard"][:n])
        ended = np.flatnonzero((s["silent"][:n] > 0) & ~(s["interval"][:n] > 0))
        s["silent"][:n][ended] = 0
        findings = self._ended(ended, now)
        quiet = self._quiet()
        due = (quiet >= s["interval"][:n]) & (s["interval"][:n] > 0) & (s["silent"][:n] == 0)
        fresh = np.flatnonzero(due)
        s["silent"][:n][fresh] = 1
        devices = self._rows.keys // _METRICS
        for device in np.unique(devices[fresh]).tolist():
            mine = fresh[devices[fresh] == device]
            findings.append(self._finding(device, mine[np.argmax(quiet[mine])], now, "raised"))
        return findings

    def restore(self, state: Mapping[str, np.ndarray[Any, Any]]) -> None:
        super().restore(state)
        self._pauses = None

    def _begin_runs(self, rows: np.ndarray[Any, Any], time: np.ndarray[Any, Any]) -> None:
        """A device heard after a pause begins anew: its sensors are missed from then on, not from before.

        A pause is longer than the shortest interval of its sensors, or than a few minutes where that is longer.
        """
        s, n = self._s, len(self._rows)
        if self._pauses is None:
            self._pauses = self._pauses_now()
        earliest = np.full(n, np.inf)
        # Of what is late in the batch, the earliest after the pause is the start of the run.
        late = time > s["heard"][rows] + self._pauses[rows]
        np.minimum.at(earliest, rows[late], time[late])
        begun = np.flatnonzero(np.isfinite(earliest))
        s["since"][begun] = np.fmax(s["since"][begun], earliest[begun])

    def _pauses_now(self) -> np.ndarray[Any, Any]:
        """Of each row that is a device: how long a pause of it begins a new run, seconds."""
        s, n = self._s, len(self._rows)
        shortest = np.full(n, np.inf)
        sensors = np.flatnonzero(s["interval"][:n] > 0)
        np.minimum.at(
            shortest, self._rows.find(self._rows.keys[sensors] // _METRICS * _METRICS), s["interval"][sensors]
        )
        pauses: np.ndarray[Any, Any] = np.maximum(shortest, SENSOR_LATE.value)
        return pauses

    def _quiet(self) -> np.ndarray[Any, Any]:
        """For how long each sensor's device has spoken without it, seconds; NaN for devices as a whole."""
        s, keys, n = self._s, self._rows.keys, len(self._rows)
        device = self._rows.find(keys // _METRICS * _METRICS)
        start = np.fmax(np.fmax(s["heard"][:n], s["since"][:n]), s["since"][device])
        return np.where(keys % _METRICS == _DEVICE, np.nan, s["heard"][device] - start)

    def _ended(self, rows: np.ndarray[Any, Any], at: float | None = None) -> list[Finding]:
        """Cleared, for the devices of these rows that have no silent sensor left."""
        s, devices, n = self._s, self._rows.keys // _METRICS, len(self._rows)
        still = np.unique(devices[s["silent"][:n] > 0])
        findings = []
        for device in np.unique(devices[rows]).tolist():
            if device not in still:
                mine = rows[devices[rows] == device]
                row = mine[np.argmax(np.nan_to_num(s["heard"][mine], nan=-np.inf))]
                findings.append(self._finding(device, row, float(s["heard"][row]) if at is None else at, "cleared"))
        return findings

    def _finding(self, device: int, row: int, at: float, phase: Any) -> Finding:
        s, n = self._s, len(self._rows)
        silent = self._rows.keys[(s["silent"][:n] > 0) & (self._rows.keys // _METRICS == device)] % _METRICS
        interval, heard = float(s["interval"][row]), float(s["heard"][row])
        quiet = 0.0 if phase == "cleared" else float(self._quiet()[row])
        return Finding(
            detector=self.name,
            version=self.version,
            subject=int(device),
            type="sensor_silent",
            time=float(at),
            score=0.0 if phase == "cleared" else float(1 - 0.5 ** (quiet / interval)),
            severity=Severity.MEDIUM,
            phase=phase,
            evidence={
                "value": quiet,
                "limit": interval,
                "unit": "s",
                "metrics": [BY_ID[int(m)].code if int(m) in BY_ID else str(m) for m in np.sort(silent)],
                "since": None if np.isnan(heard) else heard,
                "never_heard": bool(np.isnan(heard)),
                "rule": f"the device speaks, but nothing of this sensor for {interval:g} s",
            },
        )
