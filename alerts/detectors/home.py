"""Dangers of a dwelling: readings of its sensors by device enter, alerts on air, warmth and water leave.

Smoke and gas at once, carbon monoxide by the dose bands of EN 50291, cold and heat that last, water that runs on or is
not drawn at all. One row per device; a device in a corridor watches over whoever is near, without being anybody's.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

import numpy as np

from alerts.detectors import parameters_home as p
from alerts.detectors.base import Batch, Finding, Floats, Keyed, column_of, of_metrics, rounds
from alerts.detectors.ordering import order_fields, take
from core.metrics import BY_CODE
from core.vocabulary import Severity

_CODES: Final = ("smoke", "gas_lel", "co_ppm", "room_temp", "water_flow", "water_leak")
SMOKE, GAS, CO, TEMP, WATER, LEAK = range(len(_CODES))
_COLUMN: Final = column_of(_CODES)
_AT_ONCE: Final = {SMOKE: ("smoke", 1.0), GAS: ("gas", p.GAS_LEL.value), LEAK: ("water_leak", 1.0)}
_CO_PPM: Final = np.array([band.value for band in p.CO_PPM])
_CO_SECONDS: Final = np.array([band.value for band in p.CO_SECONDS])
_COLD: Final = tuple(limit.value for limit in p.ROOM_COLD)
_HOT: Final = tuple(limit.value for limit in p.ROOM_HOT)
_TYPES: Final = ("smoke", "gas", "co", "room_cold", "room_hot", "water_running", "water_unused", "water_leak")
_OF: Final = {kind: i for i, kind in enumerate(_TYPES)}
_RANKS: Final = (Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)
_COLUMN_OF_TYPE: Final = {
    "smoke": SMOKE, "gas": GAS, "co": CO, "room_cold": TEMP, "room_hot": TEMP, "water_running": WATER,
    "water_unused": WATER, "water_leak": LEAK,
}  # fmt: skip


class HomeDetector(Keyed):
    """Smoke, gas, carbon monoxide, warmth and water, per device."""

    name = "home"
    version = "1"
    keys = "device"
    fields: ClassVar = {
        **order_fields((len(_CODES),)),
        "value": ((len(_CODES),), np.nan, np.float64),
        "dose": ((4,), 0.0, np.float64),
        "beyond": ((4,), np.nan, np.float64),  # since when below 16 °C, below 10, above 28, above 32
        "flow_since": ((), np.nan, np.float64),
        "drawn": ((), 0.0, np.float64),
        "drawn_since": ((), np.nan, np.float64),
        "rank": ((len(_TYPES),), 0, np.int8),
    }

    def consume(self, batch: Batch) -> list[Finding]:
        """Take readings in, in the order of device time; other metrics are passed over."""
        batch, column = of_metrics(batch, _COLUMN)
        if not len(batch.subject):
            return []
        row = self._row(batch.subject)
        findings: list[Finding] = []
        for at in rounds(row * len(_CODES) + column, batch.time, batch.value):
            r, c, time, value = row[at], column[at], batch.time[at], batch.value[at]
            before_time, before = self._s["newest"][r, c], self._s["value"][r, c]
            taken, back = take(self._s, (r, c), time)
            span = np.nan_to_num(np.clip(np.where(back, 0.0, time - before_time), 0.0, p.HOME_GAP.value))
            gap = back | (time - before_time > p.HOME_GAP.value)
            self._s["value"][r[taken], c[taken]] = value[taken]
            for i in np.flatnonzero(taken):
                findings += self._follow(int(r[i]), int(c[i]), float(time[i]), float(value[i]),
                                         float(before[i]), float(span[i]), gap=bool(gap[i]))  # fmt: skip
        return findings

    def tick(self, now: float) -> list[Finding]:
        """Let doses and durations run on to `now`; a sensor that has been silent for long adds nothing."""
        if not np.isfinite(now):
            return []
        n, s, findings = len(self._rows), self._s, []
        live = (now - s["newest"][:n] <= p.HOME_GAP.value) & (now >= s["newest"][:n])
        pending = np.where(live[:, CO], now - s["newest"][:n, CO], 0.0)
        dose = s["dose"][:n] + np.where(s["value"][:n, CO, None] >= _CO_PPM, pending[:, None], 0.0)
        for row in np.flatnonzero((dose >= _CO_SECONDS).any(1) & (s["rank"][:n, _OF["co"]] < 3)):
            findings += self._raise(int(row), "co", 3, now, self._co_evidence(int(row), dose[row]))
        warm = live[:, TEMP] & (~np.isnan(s["beyond"][:n])).any(1)
        for row in np.flatnonzero(warm):
            findings += self._warmth(int(row), now)
        running = live[:, WATER] & (now - s["flow_since"][:n] >= p.WATER_RUNNING.value)
        for row in np.flatnonzero(running & (s["rank"][:n, _OF["water_running"]] == 0)):
            findings += self._running(int(row), now)
        unused = live[:, WATER] & (now - s["drawn_since"][:n] >= p.WATER_UNUSED.value)
        for row in np.flatnonzero(unused):
            findings += self._unused(int(row), now)
        return findings

    def _follow(
        self, row: int, column: int, time: float, value: float, before: float, span: float, *, gap: bool
    ) -> list[Finding]:
        """One reading of one device, in order."""
        if column in _AT_ONCE:
            kind, limit = _AT_ONCE[column]
            if value < limit:
                return self._clear(row, kind, time)
            unit = BY_CODE[_CODES[column]].unit
            rank = 2 if kind == "water_leak" else 3
            rule = f"{_CODES[column]} >= {limit:g} {unit}"
            return self._raise(row, kind, rank, time, {"value": value, "limit": limit, "unit": unit, "rule": rule})
        if column == CO:
            return self._carbon_monoxide(row, time, value, before, span)
        if column == TEMP:
            return self._temperature(row, time, value, gap=gap)
        return self._water(row, time, value, gap=gap)

    def _carbon_monoxide(self, row: int, time: float, value: float, before: float, span: float) -> list[Finding]:
        """Time at or above each band adds up; time below it wears off as fast."""
        dose = self._s["dose"][row]
        dose += np.where(before >= _CO_PPM, span, -span)
        np.clip(dose, 0.0, _CO_SECONDS, out=dose)
        if (dose >= _CO_SECONDS).any():
            return self._raise(row, "co", 3, time, self._co_evidence(row, dose))
        if value < _CO_PPM[0] and not dose.any():
            return self._clear(row, "co", time)
        return []

    def _co_evidence(self, row: int, dose: Floats) -> dict[str, Any]:
        band = int(np.argmax(dose >= _CO_SECONDS))
        minutes = _CO_SECONDS[band] / 60
        return {"value": float(self._s["value"][row, CO]), "limit": float(_CO_PPM[band]), "unit": "ppm",
                "minutes": minutes, "rule": f"co_ppm >= {_CO_PPM[band]:g} ppm for {minutes:g} min"}  # fmt: skip

    def _temperature(self, row: int, time: float, value: float, *, gap: bool) -> list[Finding]:
        since = self._s["beyond"][row]
        if gap:
            since[:] = np.nan
        beyond = np.array([value < _COLD[0], value < _COLD[1], value > _HOT[0], value > _HOT[1]])
        since[:] = np.where(beyond, np.where(np.isnan(since), time, since), np.nan)
        findings = self._warmth(row, time)
        if value >= _COLD[0] + p.ROOM_BACK.value:
            findings += self._clear(row, "room_cold", time)
        if value <= _HOT[0] - p.ROOM_BACK.value:
            findings += self._clear(row, "room_hot", time)
        return findings

    def _warmth(self, row: int, now: float) -> list[Finding]:
        findings = []
        lasted = now - self._s["beyond"][row]
        for kind, sides, limits, sign in (("room_cold", (0, 1), _COLD, "<"), ("room_hot", (2, 3), _HOT, ">")):
            worst = lasted[sides[1]] >= p.ROOM_HOLD_WORST.value
            if worst or lasted[sides[0]] >= p.ROOM_HOLD.value:
                hold = (p.ROOM_HOLD_WORST if worst else p.ROOM_HOLD).value
                limit = limits[int(worst)]
                rule = f"room_temp {sign} {limit:g} °C for {hold / 60:g} min"
                value = float(self._s["value"][row, TEMP])
                evidence = {"value": value, "limit": limit, "unit": "°C", "rule": rule}
                findings += self._raise(row, kind, 2 if worst else 1, now, evidence)
        return findings

    def _water(self, row: int, time: float, litres: float, *, gap: bool) -> list[Finding]:
        """`litres` were drawn since the report before."""
        s, findings = self._s, []
        flows = litres >= p.WATER_DRAWN.value
        if not flows or gap:
            findings += self._clear(row, "water_running", time)
            s["flow_since"][row] = time if flows else np.nan
        elif np.isnan(s["flow_since"][row]):
            s["flow_since"][row] = time
        if time - s["flow_since"][row] >= p.WATER_RUNNING.value:
            findings += self._running(row, time)
        if np.isnan(s["drawn_since"][row]) or gap:
            s["drawn_since"][row], s["drawn"][row] = time, 0.0
        s["drawn"][row] += litres
        if s["drawn"][row] >= p.WATER_LITRES.value:
            s["drawn_since"][row], s["drawn"][row] = time, 0.0
            findings += self._clear(row, "water_unused", time)
        return findings + self._unused(row, time)

    def _running(self, row: int, now: float) -> list[Finding]:
        lasted = now - float(self._s["flow_since"][row])
        rule = f"water runs without a break for {p.WATER_RUNNING.value / 60:g} min"
        evidence = {"value": lasted, "limit": p.WATER_RUNNING.value, "unit": "s", "rule": rule}
        return self._raise(row, "water_running", 2, now, evidence)

    def _unused(self, row: int, now: float) -> list[Finding]:
        lasted = now - float(self._s["drawn_since"][row])
        if not lasted >= p.WATER_UNUSED.value:
            return []
        long = lasted >= p.WATER_UNUSED_LONG.value
        limit = (p.WATER_UNUSED_LONG if long else p.WATER_UNUSED).value
        rule = f"less than {p.WATER_LITRES.value:g} L drawn in {limit / 3600:g} h"
        return self._raise(row, "water_unused", 2 if long else 1, now,
                           {"value": lasted, "limit": limit, "unit": "s", "rule": rule})  # fmt: skip

    def _raise(self, row: int, kind: str, rank: int, at: float, evidence: dict[str, Any]) -> list[Finding]:
        if self._s["rank"][row, _OF[kind]] >= rank:
            return []
        self._s["rank"][row, _OF[kind]] = rank
        return [self._finding(row, kind, rank, at, "raised", evidence)]

    def _clear(self, row: int, kind: str, at: float) -> list[Finding]:
        rank = int(self._s["rank"][row, _OF[kind]])
        if not rank:
            return []
        self._s["rank"][row, _OF[kind]] = 0
        column = _COLUMN_OF_TYPE[kind]
        value, unit = float(self._s["value"][row, column]), BY_CODE[_CODES[column]].unit
        evidence = {"value": value, "limit": None, "unit": unit, "rule": "back to normal"}
        return [self._finding(row, kind, rank, at, "cleared", evidence)]

    def _finding(self, row: int, kind: str, rank: int, at: float, phase: Any, evidence: dict[str, Any]) -> Finding:
        key, score = int(self._rows.keys[row]), (0.25, 0.5, 0.75, 1.0)[rank]
        return Finding(self.name, self.version, key, kind, at, score, _RANKS[rank], phase, evidence)
