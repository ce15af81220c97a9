"""Fever by the rules for older people: temperatures enter, `fever` raised and cleared leaves.

More than half of the serious infections in care homes come without a temperature that younger people would call fever.
A single reading above 37.8 °C is a limit of `vitals`; here are the other two rules: repeated above 37.2 °C, and 1.1 °C
above the person's own usual.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

import numpy as np

from alerts.detectors.base import Batch, Finding, Floats, Ints, Keyed, column_of, of_metrics, rounds
from alerts.detectors.parameters import (
    FEVER_APART,
    FEVER_CLEAR,
    FEVER_READINGS,
    FEVER_READINGS_MIN,
    FEVER_REPEATED,
    FEVER_RISE,
    FEVER_WITHIN,
)
from core.metrics import BY_CODE
from core.vocabulary import Severity

_COLUMN: Final = column_of(("body_temp",))
_KEPT: Final = int(FEVER_READINGS.value)
_UNIT: Final = BY_CODE["body_temp"].unit


class FeverDetector(Keyed):
    """Judges each reading in the order of time; one that is not newer than the last is passed over."""

    name = "fever"
    version = "1"
    fields: ClassVar = {
        "usual": ((_KEPT,), np.nan, np.float64),  # the newest last; readings of a fever stay out
        "time": ((), np.nan, np.float64),
        "warm_since": ((), np.nan, np.float64),  # of the present run above the repeated limit
        "hit": ((), np.nan, np.float64),
        "rank": ((), 0, np.int8),
    }

    def consume(self, batch: Batch) -> list[Finding]:
        """Judge a pass of readings; other metrics are passed over."""
        batch, _ = of_metrics(batch, _COLUMN)
        if not len(batch.subject):
            return []
        row = self._row(batch.subject)
        findings: list[Finding] = []
        for at in rounds(row, batch.time, batch.value):
            findings += self._take(row[at], batch.time[at], batch.value[at])
        return findings

    def _take(self, r: Ints, time: Floats, value: Floats) -> list[Finding]:
        s = self._s
        newer = ~(time <= s["time"][r])
        r, time, value = r[newer], time[newer], value[newer]
        warm = value > FEVER_REPEATED.value
        begun = s["warm_since"][r]
        begun = np.where(time - begun > FEVER_WITHIN.value, np.nan, begun)
        repeated = warm & (time - begun >= FEVER_APART.value)
        s["warm_since"][r] = np.where(warm & np.isnan(begun), time, begun)
        usual = s["usual"][r]
        known = (~np.isnan(usual)).sum(1)
        center = _middle(usual, known)
        risen = (known >= FEVER_READINGS_MIN.value) & (value - center > FEVER_RISE.value + 1e-9)
        s["time"][r] = time
        hit = repeated | risen
        s["hit"][r] = np.where(hit, time, s["hit"][r])
        raised, over = hit & (s["rank"][r] == 0), (s["rank"][r] > 0) & ~hit & ~warm
        over &= time - s["hit"][r] >= FEVER_CLEAR.value
        s["rank"][r] = np.where(raised, 1, np.where(over, 0, s["rank"][r]))
        calm = r[~warm & ~risen]
        s["usual"][calm, :-1] = s["usual"][calm, 1:]
        s["usual"][calm, -1] = value[~warm & ~risen]
        return [
            self._finding(int(r[i]), float(time[i]), float(value[i]), float(center[i]), int(known[i]),
                          risen=bool(risen[i]), cleared=bool(over[i]))
            for i in np.flatnonzero(raised | over)
        ]  # fmt: skip

    def _finding(
        self, row: int, time: float, value: float, center: float, known: int, *, risen: bool, cleared: bool
    ) -> Finding:
        limit = center + FEVER_RISE.value if risen else FEVER_REPEATED.value
        rules = (f"repeated > {FEVER_REPEATED.value:g} {_UNIT}", f"> {FEVER_RISE.value:g} {_UNIT} over the own usual")
        evidence: dict[str, Any] = {
            "metric": "body_temp",
            "value": value,
            "unit": _UNIT,
            "baseline": None if np.isnan(center) else round(center, 3),
            "baseline_readings": known,
            "limit": round(limit, 3),
            "rule": f"IDSA long-term care: body_temp {rules[risen]}",
        }
        return Finding(
            detector=self.name,
            version=self.version,
            subject=int(self._rows.keys[row]),
            type="fever",
            time=time,
            score=float(np.clip(0.5 + (value - limit) / 3, 0.0, 1.0)),
            severity=Severity.MEDIUM,
            phase="cleared" if cleared else "raised",
            evidence=evidence,
        )


def _middle(values: Floats, known: Ints) -> Floats:
    """Median of each row's known values; NaN where there are none."""
    ordered, rows = np.sort(values, axis=1), np.arange(len(values))  # NaN comes last
    lower, upper = ordered[rows, np.maximum((known - 1) // 2, 0)], ordered[rows, np.minimum(known // 2, _KEPT - 1)]
    return np.where(known > 0, (lower + upper) / 2, np.nan)
