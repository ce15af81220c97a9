"""Lines that are down: readings of devices enter, `gateway_down` and `site_offline` raised and cleared leave.

Devices stand in two groups: those behind one gateway, and those of one house. A group is down when nothing at all was
heard of it for half the shortest supervision interval of the members that lived when it fell quiet: so the line is
missed before its devices are, and one alert stands for forty. A gateway of which the broker said that it is gone is
down after a minute and a half of that silence. Time during which nobody listened does not count.

For this detector `Batch.time` is best the time of receipt. The subject of a finding is a device: the gateway itself, or
the one that stands for the house.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final, Literal

import numpy as np

from alerts.detectors.base import Batch, Bools, Finding, Floats, Ints, Listening, usable
from alerts.detectors.parameters import (
    OUTAGE_CHILDREN,
    OUTAGE_DEVICES,
    OUTAGE_MIN,
    OUTAGE_OFFLINE,
    OUTAGE_SHARE,
)
from core.errors import BadInput
from core.vocabulary import Severity

Group = Literal["gateway", "site"]
_TYPES: Final[dict[Group, str]] = {"gateway": "gateway_down", "site": "site_offline"}
_MEMBERS_MIN: Final[dict[Group, float]] = {"gateway": OUTAGE_CHILDREN.value, "site": OUTAGE_DEVICES.value}


class OutageDetector(Listening):
    """Gateways and houses, judged by the devices behind them."""

    name = "outage"
    version = "1"
    keys = "device"
    fields: ClassVar = {
        "interval": ((), 0.0, np.float64),
        "gateway": ((), -1, np.int64),
        "site": ((), -1, np.int64),
        "heard": ((), np.nan, np.float64),
        "deaf": ((), 0.0, np.float64),
        "offline": ((), 0, np.int8),
        "down_gateway": ((), 0, np.int8),
        "down_site": ((), 0, np.int8),
    }

    def register(
        self,
        device_key: int,
        interval_seconds: float,
        *,
        site: int,
        gateway: int = -1,
        heard: float | None = None,
        offline: bool = False,
    ) -> None:
        """Let a device stand for its groups, or change what is known of it; an interval of 0 or less takes it out.

        site, gateway: keys of the devices that stand for the groups, -1 for none; a gateway names itself. offline: the
        broker has said that this device is gone. Raises BadInput for keys or times out of bounds.
        """
        times = [interval_seconds, 0.0 if heard is None else heard]
        if device_key < 0 or min(site, gateway) < -1 or not np.isfinite(times).all():
            raise BadInput(f"device {device_key} cannot stand for gateway {gateway} and site {site}")
        for key in (device_key, *(one for one in (site, gateway) if one >= 0)):
            self._row(np.array([key]))
        (row,) = self._rows.find(np.array([device_key]))
        s = self._s
        s["interval"][row], s["site"][row], s["gateway"][row] = interval_seconds, site, gateway
        s["offline"][row] = offline
        if heard is not None and not heard <= s["heard"][row]:
            s["heard"][row], s["deaf"][row] = heard, 0.0

    def consume(self, batch: Batch) -> list[Finding]:
        """Note who was heard; what follows from it is said by `tick`."""
        batch = usable(batch)
        rows = self._rows.find(batch.subject)
        rows, time = rows[rows >= 0], batch.time[rows >= 0]
        newest = np.full(len(self._rows), -np.inf)
        np.maximum.at(newest, rows, time)
        s, n = self._s, len(self._rows)
        fresh = np.isfinite(newest) & ~(newest <= s["heard"][:n])
        s["heard"][:n][fresh] = newest[fresh]
        s["deaf"][:n][fresh] = 0.0
        return []

    def tick(self, now: float, *, listening: bool = True) -> list[Finding]:
        """Raise the groups that are down, clear those that speak again. Not listening, the clock of silence stops."""
        if not np.isfinite(now):
            return []
        s, n = self._s, len(self._rows)
        s["heard"][:n] = np.fmin(s["heard"][:n], np.where(np.isnan(s["heard"][:n]), np.nan, max(now, self._now)))
        if not listening and np.isfinite(self._now):
            s["deaf"][:n] += max(0.0, now - self._now)
        self._now = float(now)
        if not listening:
            return []
        return self._settle("gateway", now) + self._settle("site", now)

    def _settle(self, group: Group, now: float) -> list[Finding]:
        s, n = self._s, len(self._rows)
        down = s[f"down_{group}"]
        quiet, limit, members = self._judge(group, now)
        holds = quiet >= limit
        fresh = np.flatnonzero(holds & (down[:n] == 0))
        ended = np.flatnonzero((down[:n] > 0) & (quiet < limit))
        down[fresh] = 1
        down[ended] = 0
        told = [(row, "raised") for row in fresh] + [(row, "cleared") for row in ended]
        return [self._finding(group, int(row), now, phase, quiet, limit, members) for row, phase in told]

    def _judge(self, group: Group, now: float) -> tuple[Floats, Floats, Ints]:
        """For each row that stands for a group: seconds of silence, how much of it is an outage, members that lived."""
        s, n = self._s, len(self._rows)
        at = self._rows.find(s[group][:n])
        quiet = now - s["heard"][:n] - s["deaf"][:n]
        counted = (at >= 0) & np.isfinite(quiet)
        whole = np.full(n, np.inf)
        np.minimum.at(whole, at[counted], quiet[counted])
        # Who had been silent for longer than its own interval when the line fell quiet tells nothing about the line.
        lived: Bools = counted & (s["interval"][:n] > 0) & (quiet - whole[at] < s["interval"][:n])
        if group == "gateway":
            lived &= s["gateway"][:n] != self._rows.keys
        members = np.bincount(at[lived], minlength=n).astype(np.int64)
        shortest = np.full(n, np.inf)
        np.minimum.at(shortest, at[lived], s["interval"][:n][lived])
        limit = np.maximum(OUTAGE_MIN.value, OUTAGE_SHARE.value * shortest)
        limit[members < _MEMBERS_MIN[group]] = np.inf
        if group == "gateway":
            gone = (s["offline"][:n] > 0) & (s["gateway"][:n] == self._rows.keys)
            limit[gone] = np.minimum(limit[gone], OUTAGE_OFFLINE.value)
        whole[~np.isfinite(whole)] = np.nan
        return whole, limit, members

    def _finding(
        self, group: Group, row: int, now: float, phase: Any, quiet: Floats, limit: Floats, members: Ints
    ) -> Finding:
        seconds, bound = float(np.nan_to_num(quiet[row])), float(limit[row])
        bound = bound if np.isfinite(bound) else OUTAGE_MIN.value
        return Finding(
            detector=self.name,
            version=self.version,
            subject=int(self._rows.keys[row]),
            type=_TYPES[group],
            time=float(now),
            score=0.0 if phase == "cleared" else float(1 - 0.5 ** (seconds / bound)),
            severity=Severity.HIGH,
            phase=phase,
            evidence={
                "value": seconds,
                "limit": bound,
                "unit": "s",
                "devices": int(members[row]),
                "offline": bool(self._s["offline"][row]) and group == "gateway",
                "rule": f"nothing heard of any device of this {group} for {bound:g} s",
            },
        )
