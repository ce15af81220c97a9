"""Silence of devices: the times at which devices were heard enter, `device_silent` raised and cleared leave.

A device is silent when `now - max(last heard, registered) - deaf >= interval`. A device that was registered and never
heard is silent after its interval too. For this detector `Batch.time` is best the time of receipt: then a device with a
wrong clock is heard all the same. Time during which nobody listened does not count: while the platform itself was deaf,
every device's clock of silence stood still.
"""

from __future__ import annotations

from typing import ClassVar, Final

import numpy as np

from alerts.detectors.base import Batch, Finding, Listening, usable
from alerts.detectors.parameters import SILENCE_HIGH_AFTER, SILENCE_INTERVAL
from core.errors import BadInput
from core.vocabulary import Severity

_RANKS: Final = (Severity.LOW, Severity.MEDIUM, Severity.HIGH)


class SilenceDetector(Listening):
    """Supervision of every registered device, each with its own interval in seconds."""

    name = "silence"
    version = "2"
    keys = "device"
    fields: ClassVar = {
        "interval": ((), np.nan, np.float64),
        "registered": ((), np.nan, np.float64),
        "heard": ((), np.nan, np.float64),
        "deaf": ((), 0.0, np.float64),
        "rank": ((), 0, np.int8),
    }

    def register(
        self, device_key: int, interval_seconds: float | None = None, since: float = 0.0, heard: float | None = None
    ) -> None:
        """Supervise a device from `since` on (Unix seconds), or change its interval; 0 or less ends supervision.

        `heard` is when it was last heard, where that is known from before this process began. Calling it again with
        the same device keeps what is known and what is raised. Raises BadInput for a negative key or times that are
        not finite.
        """
        interval = SILENCE_INTERVAL.value if interval_seconds is None else float(interval_seconds)
        if device_key < 0 or not np.isfinite([interval, since, 0.0 if heard is None else heard]).all():
            raise BadInput(f"cannot supervise device {device_key} every {interval} s since {since}")
        row = int(self._row(np.array([device_key]))[0])
        self._s["interval"][row] = interval
        self._s["registered"][row] = since
        if heard is not None:
            if not heard <= self._s["heard"][row]:
                self._s["deaf"][row] = 0.0
            self._s["heard"][row] = np.fmax(self._s["heard"][row], heard)

    def consume(self, batch: Batch) -> list[Finding]:
        """Any reading of a registered device shows that it lives; devices that were not registered are passed over."""
        batch = usable(batch)
        rows = self._rows.find(batch.subject)
        rows, time = rows[rows >= 0], batch.time[rows >= 0]
        newest = np.full(len(self._rows), -np.inf)
        np.maximum.at(newest, rows, time)
        n, s = len(self._rows), self._s
        heard = newest > np.nan_to_num(s["heard"][:n], nan=-np.inf)
        # What was measured before the interval began tells that the device lived then, not that it does now.
        live = heard & (newest > self._now - s["interval"][:n]) & (s["rank"][:n] > 0)
        findings = [self._finding(int(row), float(newest[row]), cleared=True) for row in np.flatnonzero(live)]
        s["heard"][:n][heard] = newest[heard]
        s["deaf"][:n][heard] = 0.0
        s["rank"][:n][live] = 0
        return findings

    def tick(self, now: float, *, listening: bool = True) -> list[Finding]:
        """Raise what is overdue at `now`; again, as HIGH, what has been silent for 25 hours.

        listening: whether the platform could have heard the devices since the last tick. If not, nobody is judged, and
        the time does not count against them.
        """
        if not np.isfinite(now):
            return []
        n, s = len(self._rows), self._s
        if not listening:
            s["deaf"][:n] += max(0.0, now - self._now) if np.isfinite(self._now) else 0.0
            self._now = float(now)
            return []
        # A device clock that runs ahead buys no extra time. The last tick's time counts too, so that one wrong step of
        # our own clock backwards does not make every device look silent afterwards.
        s["heard"][:n] = np.minimum(s["heard"][:n], max(now, self._now))
        self._now = float(now)
        quiet = now - np.fmax(s["heard"][:n], s["registered"][:n]) - s["deaf"][:n]
        due = (quiet >= s["interval"][:n]) & (s["interval"][:n] > 0)
        long = due & (quiet >= np.maximum(SILENCE_HIGH_AFTER.value, s["interval"][:n]))
        rank = due.astype(np.int8) + long
        fresh = np.flatnonzero(rank > s["rank"][:n])
        s["rank"][:n][fresh] = rank[fresh]
        ended = np.flatnonzero((s["rank"][:n] > 0) & ~(s["interval"][:n] > 0))
        findings = [self._finding(int(row), float(now)) for row in fresh]
        findings += [self._finding(int(row), float(now), cleared=True) for row in ended]
        s["rank"][:n][ended] = 0
        return findings

    def _finding(self, row: int, at: float, *, cleared: bool = False) -> Finding:
        s = self._s
        heard, interval = float(s["heard"][row]), float(s["interval"][row])
        quiet = max(0.0, at - float(np.fmax(s["heard"][row], s["registered"][row])) - float(s["deaf"][row]))
        return Finding(
            detector=self.name,
            version=self.version,
            subject=int(self._rows.keys[row]),
            type="device_silent",
            time=at,
            # 0.5 when it falls due, towards 1 as intervals pass.
            score=0.0 if cleared else float(1 - 0.5 ** (quiet / interval)),
            severity=_RANKS[int(s["rank"][row])],
            phase="cleared" if cleared else "raised",
            evidence={
                "value": quiet,
                "limit": interval,
                "unit": "s",
                "since": None if np.isnan(heard) else heard,
                "never_heard": bool(np.isnan(heard)),
                "rule": f"nothing heard for {interval:g} s",
            },
        )
