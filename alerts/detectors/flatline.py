"""Values that no sensor measures: readings of devices enter, `sensor_flatline` and `sensor_replayed` leave.

Stuck: a metric with a rule is bit for bit the same for so many readings and so long (`FLAT_RULES`); metrics that may
stay, such as a door's, have no rule. Repeated: the newest 16 values, at least 6 of them different, stood in the same
order among the 96 before them: a gateway hands out an old recording with fresh times. Each metric of a device is judged
in the order of device time; readings that are not newer than its newest are left out. A value that differs ends what is
stuck, and as many that do not repeat end the other; silence ends neither.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final, Literal

import numpy as np

from alerts.detectors.base import Batch, Bools, Finding, Floats, Ints, Keyed, rounds, usable
from alerts.detectors.parameters import FLAT_RULES, REPEAT_DISTINCT, REPEAT_MEMORY, REPEAT_READINGS
from core.metrics import BY_CODE, BY_ID
from core.vocabulary import Severity

_METRICS: Final = 1 << 10
_RUN: Final = int(REPEAT_READINGS.value)
_KEPT: Final = int(REPEAT_MEMORY.value) + _RUN
_READINGS: Final = np.full(_METRICS, np.inf)
_SPAN: Final = np.full(_METRICS, np.inf)
for _rule in FLAT_RULES:
    _READINGS[BY_CODE[_rule.metric].id], _SPAN[BY_CODE[_rule.metric].id] = _rule.readings.value, _rule.span.value
_Word = Literal["flat", "repeated"]
_TYPES: Final[dict[_Word, str]] = {"flat": "sensor_flatline", "repeated": "sensor_replayed"}


class FlatlineDetector(Keyed):
    """Every metric of every device that has a rule."""

    name = "flatline"
    version = "1"
    keys = "sensor"
    fields: ClassVar = {
        "time": ((), -np.inf, np.float64),
        "since": ((), np.nan, np.float64),
        "same": ((), 0, np.int64),
        "recent": ((_KEPT,), np.nan, np.float64),
        "fresh": ((), 0, np.int16),
        "flat": ((), 0, np.int8),
        "repeated": ((), 0, np.int8),
    }

    def consume(self, batch: Batch) -> list[Finding]:
        """Judge a pass of readings; `Batch.time` is the devices' own time."""
        batch = usable(batch)
        metric = batch.metric.astype(np.int64)
        ruled = (metric > 0) & (metric < _METRICS)
        ruled[ruled] = np.isfinite(_READINGS[metric[ruled]])
        keys, time, value = batch.subject[ruled] * _METRICS + metric[ruled], batch.time[ruled], batch.value[ruled]
        slot = self._row(keys)
        findings: list[Finding] = []
        for chosen in rounds(slot, time, value):
            findings += self._judge(slot[chosen], time[chosen], value[chosen])
        return findings

    def _judge(self, row: Ints, time: Floats, value: Floats) -> list[Finding]:
        s = self._s
        newer = time > s["time"][row]
        row, time, value = row[newer], time[newer], value[newer]
        same = value == s["recent"][row, -1]
        s["same"][row] = np.where(same, s["same"][row] + 1, 1)
        s["since"][row] = np.where(same, s["since"][row], time)
        s["time"][row] = time
        recent = np.concatenate([s["recent"][row, 1:], value[:, None]], axis=1)
        s["recent"][row] = recent
        metric = self._rows.keys[row] % _METRICS
        flat = (s["same"][row] >= _READINGS[metric]) & (time - s["since"][row] >= _SPAN[metric])
        again = _repeats(recent)
        s["fresh"][row] = np.where(again, 0, np.minimum(s["fresh"][row] + 1, 1000))
        # So many values in a row that stood nowhere before: the recording is over.
        moving = s["fresh"][row] >= _RUN
        return self._settle("flat", row, flat, ~flat) + self._settle("repeated", row, again, moving)

    def _settle(self, word: _Word, row: Ints, holds: Bools, over: Bools) -> list[Finding]:
        known = self._s[word]
        raised, ended = row[holds & (known[row] == 0)], row[over & (known[row] > 0)]
        known[raised] = 1
        known[ended] = 0
        findings = [self._finding(word, int(one), "raised") for one in raised]
        # An alert is the device's: it is over when none of the device's metrics is at fault any more.
        devices = self._rows.keys // _METRICS
        still = devices[known[: len(self._rows)] > 0]
        last = {int(devices[one]): int(one) for one in ended}
        return findings + [self._finding(word, one, "cleared") for device, one in last.items() if device not in still]

    def _finding(self, word: _Word, row: int, phase: Literal["raised", "cleared"]) -> Finding:
        s, device, metric = self._s, *divmod(int(self._rows.keys[row]), _METRICS)
        code, span = BY_ID[metric].code, float(s["time"][row] - s["since"][row])
        flat: dict[str, Any] = {
            "value": float(s["recent"][row, -1]),
            "limit": float(_SPAN[metric]),
            "unit": BY_ID[metric].unit,
            "readings": int(s["same"][row]),
            "seconds": span,
            "rule": f"{code} bit for bit the same for {_READINGS[metric]:g} readings and {_SPAN[metric]:g} s",
        }
        repeated: dict[str, Any] = {
            "value": float(s["recent"][row, -1]),
            "limit": float(_RUN),
            "unit": BY_ID[metric].unit,
            "rule": f"the newest {_RUN} values of {code} stood in the same order shortly before",
        }
        return Finding(
            detector=self.name,
            version=self.version,
            subject=device,
            type=_TYPES[word],
            time=float(s["time"][row]),
            score=0.0 if phase == "cleared" else 1.0 if word == "repeated" else _certainty(span, float(_SPAN[metric])),
            severity=Severity.LOW,
            phase=phase,
            evidence={"metric": code, **(flat if word == "flat" else repeated)},
        )


def _certainty(span: float, limit: float) -> float:
    """0.5 where the limit is met, towards 1 as it is met again and again."""
    return float(1 - 0.5 ** (span / limit))


def _repeats(recent: Floats) -> Bools:
    """Whether the last 16 of each row stand among those before them, whole; shape (n, kept) -> (n,).

    Runs with few different values are passed over: they repeat by chance.
    """
    tail = recent[:, -_RUN:]
    ordered = np.sort(tail, axis=1)
    rich = 1 + np.count_nonzero(np.diff(ordered, axis=1), axis=1) >= REPEAT_DISTINCT.value
    rich &= ~np.isnan(ordered[:, -1])
    found = np.zeros(len(recent), bool)
    rows = np.flatnonzero(rich)
    if len(rows):
        past = recent[rows, : _KEPT - 1]
        # The newest value must have stood there at all: few rows are left to be compared in full.
        windows = np.lib.stride_tricks.sliding_window_view(past, _RUN, axis=1)
        found[rows] = (windows == tail[rows][:, None, :]).all(axis=2)[:, : _KEPT - 2 * _RUN + 1].any(axis=1)
    return found
