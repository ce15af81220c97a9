"""What is usual for this person at this hour: readings of vitals enter, findings of the unusual leave.

Per resident, metric and hour of the local day a median and a MAD are followed by stochastic approximation (each reading
moves them by a fixed share of the spread, whatever its size, so that no outlier counts more than another). Readings are
judged twice: as an average over a quarter of an hour of clipped robust z, and every two hours by the generic anomaly
score of the averages of two hours, which knows how far this person's residuals usually stray. While the unusual lasts,
nothing is learned from it. Readings taken while walking or just after are passed over: the usual is that of rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import numpy as np

from alerts.detectors.anomaly import AnomalyScore
from alerts.detectors.base import Batch, Bools, Finding, Floats, Ints, Keyed, column_of, of_metrics, rounds
from alerts.detectors.effort import Effort
from alerts.detectors.parameters import (
    BASELINE_ANOMALY,
    BASELINE_ANOMALY_LEAST,
    BASELINE_BLOCK,
    BASELINE_BLOCK_READINGS,
    BASELINE_CLEAR,
    BASELINE_CLIP,
    BASELINE_DAYS,
    BASELINE_FREEZE,
    BASELINE_LIMIT,
    BASELINE_MEDIUM,
    BASELINE_RULES,
    BASELINE_SERIES,
    BASELINE_SPOT_WEIGHT,
    BASELINE_TIME,
)
from core.errors import BadInput
from core.metrics import BY_CODE
from core.vocabulary import Severity

DAY_SECONDS: Final = 86_400
SIGMA_PER_MAD: Final = 1.4826
_HOURS: Final = 24
_CODES: Final = tuple(rule.metric for rule in BASELINE_RULES)
_COLUMN: Final = column_of(_CODES)
_METRICS: Final = len(_CODES)
_BY_HOUR: Final = np.array([rule.by_hour for rule in BASELINE_RULES])
_FLOOR: Final = np.array([rule.floor.value for rule in BASELINE_RULES]) / SIGMA_PER_MAD
_SLOWNESS: Final = np.array([rule.slowness.value for rule in BASELINE_RULES])
_WARM_UP: Final = np.array([rule.warm_up.value for rule in BASELINE_RULES])
_AT_REST: Final = np.array([code in ("heart_rate", "resp_rate", "spo2") for code in _CODES])
_ONLY_LOW: Final = np.array([code == "spo2" for code in _CODES])
_GAP: Final = np.where(_BY_HOUR, 1800.0, 3.0 * DAY_SECONDS)
_SERIES: Final = np.cumsum(_BY_HOUR) - 1
"""The place of each metric that is followed by the hour among those, for the anomaly score."""
_FOLLOWED: Final = int(_BY_HOUR.sum())
_PHASES: Final = 120
"""People's blocks end at different minutes, so that no pass has everybody's to judge."""
_SEVERITIES: Final = (Severity.LOW, Severity.LOW, Severity.MEDIUM)


class PersonalBaseline(Keyed):
    """Raises `<metric>_unusual`; everybody starts unknown and is judged hour by hour as it becomes known."""

    name = "baseline"
    version = "2"
    fields: ClassVar = {
        "center": ((_METRICS, _HOURS), np.nan, np.float64),
        "spread": ((_METRICS, _HOURS), np.nan, np.float64),
        "count": ((_METRICS, _HOURS), 0, np.int32),
        "begun": ((_METRICS,), np.nan, np.float64),
        "time": ((_METRICS,), np.nan, np.float64),
        "level": ((_METRICS,), 0.0, np.float64),
        "rank": ((_METRICS,), 0, np.int8),
        "since": ((_METRICS,), np.nan, np.float64),
        "factor": ((_METRICS,), 1.0, np.float64),
        "block": ((_METRICS,), -(2**31), np.int32),
        "block_sum": ((_METRICS,), 0.0, np.float64),
        "block_count": ((_METRICS,), 0, np.int32),
        "strange": ((_METRICS,), 0.0, np.float32),  # generic score of the last block, until it has been told
    }

    def __init__(self, utc_offset_seconds: float = 8 * 3600) -> None:
        super().__init__()
        self._offset = utc_offset_seconds
        self._effort = Effort()
        self._anomaly = AnomalyScore(BASELINE_SERIES, precision=np.float16)

    def set_sensitivity(self, subject: int, metric: str, factor: float) -> None:
        """Multiply the limit of one person and metric; above 1 speaks later. Raises BadInput outside 0.5-2."""
        if subject < 0 or metric not in _CODES or not 0.5 <= factor <= 2:
            raise BadInput(f"no sensitivity {factor} for subject {subject}, {metric}")
        row = int(self._row(np.array([subject]))[0])
        self._s["factor"][row, _CODES.index(metric)] = factor

    def forget_sensitivity(self) -> None:
        """Everybody is back at the default."""
        self._s["factor"][:] = 1.0

    def consume(self, batch: Batch) -> list[Finding]:
        """Judge, then learn; a reading that is not newer than the last of its metric is passed over."""
        self._effort.note(batch)
        batch, column = of_metrics(batch, _COLUMN)
        rest = ~(_AT_REST[column] & self._effort.active(batch.subject, batch.time))
        batch = Batch(batch.subject[rest], batch.metric[rest], batch.time[rest], batch.value[rest])
        column = column[rest]
        self._effort.settle()
        row = self._row(batch.subject)
        findings: list[Finding] = []
        for at in rounds(row * _METRICS + column, batch.time, batch.value):
            findings += self._take(row[at], column[at], batch.time[at], batch.value[at])
        return findings

    def state(self) -> dict[str, np.ndarray[Any, Any]]:
        parts = (("effort", self._effort), ("anomaly", self._anomaly))
        return super().state() | {f"{of}_{name}": array for of, part in parts for name, array in part.state().items()}

    def restore(self, state: Mapping[str, np.ndarray[Any, Any]]) -> None:
        self._effort.restore(_part(state, "effort_"))
        self._anomaly.restore(_part(state, "anomaly_"))
        super().restore(state)

    def _take(self, r: Ints, m: Ints, time: Floats, value: Floats) -> list[Finding]:
        at = r * _METRICS + m
        flat = {name: self._s[name].reshape(-1) for name in ("time", "begun", "level", "rank", "since", "factor")}
        newer = ~(time <= flat["time"][at])
        if not newer.all():
            r, m, time, value, at = r[newer], m[newer], time[newer], value[newer], at[newer]
        hour = np.where(_BY_HOUR[m], (time + self._offset) % DAY_SECONDS // 3600, 0).astype(np.int64)
        place = at * _HOURS + hour
        before = flat["time"][at]
        flat["begun"][at] = np.fmin(flat["begun"][at], time)
        flat["time"][at] = time
        center, spread = self._s["center"].reshape(-1)[place], self._s["spread"].reshape(-1)[place]
        warm = (self._s["count"].reshape(-1)[place] >= _WARM_UP[m]) & (
            time - flat["begun"][at] >= BASELINE_DAYS.value * DAY_SECONDS
        )
        z = _residual(m, (value - center) / (SIGMA_PER_MAD * spread))
        level = _level(m, time - before, flat["level"][at], z, warm)
        flat["level"][at] = level
        frozen = (flat["rank"][at] > 0) & (time - flat["since"][at] < BASELINE_FREEZE.value)
        self._end_blocks(r, m, time, frozen)
        self._gather(at[warm], z[warm])
        findings = self._judge(r, m, hour, time, value)
        frozen = (flat["rank"][at] > 0) & (time - flat["since"][at] < BASELINE_FREEZE.value)
        self._learn(place[~frozen], m[~frozen], value[~frozen])
        return findings

    def _end_blocks(self, r: Ints, m: Ints, time: Floats, frozen: Bools) -> None:
        """Score the two hours that are over for those whose reading begins new ones; the frozen learn nothing."""
        s, at = self._s, r * _METRICS + m
        phase = self._rows.keys[r] % _PHASES * (BASELINE_BLOCK.value / _PHASES)
        block = np.floor((time + phase) / BASELINE_BLOCK.value).astype(np.int32)
        ended = np.flatnonzero(_BY_HOUR[m] & (block > s["block"].reshape(-1)[at]))
        if not len(ended):
            return
        r, m, time, at, frozen = r[ended], m[ended], time[ended], at[ended], frozen[ended]
        count, total = s["block_count"].reshape(-1)[at], s["block_sum"].reshape(-1)[at]
        whole = (count >= BASELINE_BLOCK_READINGS.value) & ~frozen
        series = np.where(whole, r * _FOLLOWED + _SERIES[m], -1)
        s["strange"].reshape(-1)[at] = self._anomaly.score(series, time, total / np.maximum(count, 1))
        s["block"].reshape(-1)[at] = block[ended]
        s["block_sum"].reshape(-1)[at] = s["block_count"].reshape(-1)[at] = 0

    def _gather(self, at: Ints, z: Floats) -> None:
        self._s["block_sum"].reshape(-1)[at] += z
        self._s["block_count"].reshape(-1)[at] += 1

    def _learn(self, place: Ints, m: Ints, value: Floats) -> None:
        center, spread, count = (self._s[name].reshape(-1) for name in ("center", "spread", "count"))
        held, width, n = center[place], spread[place], count[place]
        share = np.maximum(2 / (n + 2), _SLOWNESS[m])
        away = value - held
        width = np.maximum(width * (1 + share * np.where(np.abs(away) > width, 1.0, -1.0)), _FLOOR[m])
        new = n == 0
        center[place] = np.where(new, value, held + share * width * np.sign(away))
        spread[place] = np.where(new, _FLOOR[m], width)
        count[place] = np.minimum(n, 2**30) + 1

    def _judge(self, r: Ints, m: Ints, hour: Ints, time: Floats, value: Floats) -> list[Finding]:
        s = self._s
        at = r * _METRICS + m
        level, rank, factor = (s[name].reshape(-1)[at] for name in ("level", "rank", "factor"))
        size = np.abs(level) / factor
        reached = np.where(size >= BASELINE_MEDIUM.value, 2, np.where(size >= BASELINE_LIMIT.value, 1, 0))
        strange = s["strange"].reshape(-1)[at]
        moved = (strange >= BASELINE_ANOMALY.value) & (size >= BASELINE_ANOMALY_LEAST.value)
        reached = np.maximum(reached, moved)
        worse = reached > rank
        over = (rank > 0) & (size < BASELINE_CLEAR.value)
        findings = []
        for i in np.flatnonzero(worse | over):
            row, column = int(r[i]), int(m[i])
            if worse[i]:
                s["rank"][row, column] = reached[i]
                s["since"][row, column] = time[i] if rank[i] == 0 else s["since"][row, column]
            findings.append(self._finding(row, column, int(hour[i]), float(time[i]), float(value[i]), bool(over[i])))
            s["strange"][row, column] = 0.0  # what was told once is not told again
            if over[i]:
                s["rank"][row, column], s["since"][row, column] = 0, np.nan
        return findings

    def _finding(self, row: int, column: int, hour: int, time: float, value: float, cleared: bool) -> Finding:  # noqa: FBT001 -- private, called in one place
        s, code = self._s, _CODES[column]
        level, factor = float(s["level"][row, column]), float(s["factor"][row, column])
        strange = float(s["strange"][row, column])
        shifted = not cleared and abs(level) < BASELINE_LIMIT.value * factor
        limit = factor * (BASELINE_ANOMALY_LEAST if shifted else BASELINE_LIMIT).value
        rule = f"average robust z of {code} beyond {limit:g}"
        if shifted:
            rule += f" after two hours unlike those of a week (anomaly score >= {BASELINE_ANOMALY.value:g})"
        evidence: dict[str, Any] = {
            "metric": code,
            "value": value,
            "unit": BY_CODE[code].unit,
            "baseline": round(float(s["center"][row, column, hour]), 3),
            "spread": round(SIGMA_PER_MAD * float(s["spread"][row, column, hour]), 3),
            "robust_z": round(level, 3),
            "limit": round(limit, 3),
            "anomaly": round(strange, 4),
            "rule": rule,
            "hour": hour if _BY_HOUR[column] else None,
            "warm_up": {
                "readings": int(s["count"][row, column, hour]),
                "readings_needed": int(_WARM_UP[column]),
                "days": round((time - float(s["begun"][row, column])) / DAY_SECONDS, 1),
                "days_needed": BASELINE_DAYS.value,
            },
        }
        return Finding(
            detector=self.name,
            version=self.version,
            subject=int(self._rows.keys[row]),
            type=f"{code}_unusual",
            time=time,
            score=float(np.clip(max(0.5 * abs(level) / (BASELINE_LIMIT.value * factor), strange), 0.0, 1.0)),
            severity=_SEVERITIES[int(s["rank"][row, column])],
            phase="cleared" if cleared else "raised",
            evidence=evidence,
        )


def _residual(m: Ints, z: Floats) -> Floats:
    """Clipped robust z; of metrics that only matter when low, nothing above the usual."""
    z = np.clip(z, -BASELINE_CLIP.value, BASELINE_CLIP.value)
    return np.where(_ONLY_LOW[m], np.minimum(z, 0.0), z)


def _level(m: Ints, passed: Floats, level: Floats, z: Floats, warm: Bools) -> Floats:
    """The average of residuals after one reading more; after a long pause it begins anew."""
    gone = np.isnan(passed) | (passed > _GAP[m])
    level = np.where(gone, 0.0, level)
    passed = np.where(gone, 60.0, passed)
    weight = np.where(_BY_HOUR[m], 1 - np.exp(-passed / BASELINE_TIME.value), BASELINE_SPOT_WEIGHT.value)
    return np.where(warm, level + weight * (z - level), np.where(gone, 0.0, level))


def _part(state: Mapping[str, np.ndarray[Any, Any]], prefix: str) -> dict[str, np.ndarray[Any, Any]]:
    return {name.removeprefix(prefix): array for name, array in state.items() if name.startswith(prefix)}
