"""A generic anomaly score for any stream of numbers: rows of (series, time, value) enter, one score 0-1 a row leaves.

Three kinds of strangeness are measured, each against the series' own past: novelty (distance to the nearest earlier
value), level shift (short against long mean) and distance from what is usual at this time of day. Each is divided by
the largest that was usual so far, so that scores of different series mean the same. Nothing looks ahead, and the clock
may repeat, step back or jump: the order is that of the rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from alerts.detectors.base import Floats, Ints, checked, grown
from alerts.detectors.parameters import (
    ANOMALY_DAY_MEMORY,
    ANOMALY_NOVELTY_QUANTILE,
    ANOMALY_SERIES,
    ANOMALY_SHARPNESS,
    AnomalySizes,
)
from core.errors import BadInput

_DAY_SECONDS: Final = 86_400.0
_SMALLEST: Final = 1e-9
"""Differences below this are none."""
_BOUNDLESS: Final = 1000.0
"""The excess of a change in a series that never changed before."""
_KINDS: Final = ("novelty", "shift", "time of day")
_QUANTILES: Final = (ANOMALY_NOVELTY_QUANTILE.value, 1.0, 1.0)
_LONG: Final = 10
"""The long mean covers so many times the short one."""


class AnomalyScore:
    """How unusual each value is for its series; `sizes` bound what is remembered of one.

    State per series: 8 bytes x (4 memory + day bins + quiet rows + 2) of numbers of `precision`, 127 KiB by default;
    what personal baselines keep (`BASELINE_SERIES`, half precision) takes 0.7 KiB.

    >>> import numpy as np
    >>> score = AnomalyScore()
    >>> t = np.arange(300.0)
    >>> quiet = score.score(np.zeros(300, np.int64), 60 * t, np.sin(t / 7))
    >>> bool(score.score(np.zeros(1, np.int64), np.array([18_000.0]), np.array([9.0]))[0] > 0.9)
    True
    """

    name = "anomaly"
    version = "1"

    def __init__(
        self,
        sizes: AnomalySizes = ANOMALY_SERIES,
        *,
        precision: type = np.float64,
        day_begins_seconds: float = 0.0,
    ) -> None:
        """`precision`: of what is remembered; `day_begins_seconds`: Unix time modulo a day at which local days begin.

        Raises BadInput where a series would be judged by less than half of its memory's rows.
        """
        self._memory, self._warm_up, self._short, self._bins, self._quiet = (int(part.value) for part in sizes)
        if min(self._warm_up, self._short, self._bins, self._quiet) < 1 or self._memory < 2 * self._warm_up:
            raise BadInput(f"the anomaly score needs a memory of twice its warm-up of {self._warm_up} rows or more")
        self._day_begins = day_begins_seconds
        # name -> (shape per series, fill, dtype); together they are the checkpoint.
        self._fields: dict[str, tuple[tuple[int, ...], float, type]] = {
            "count": ((), 0, np.int64),
            "value": ((max(self._memory, _LONG * self._short),), np.inf, precision),
            "strange": ((len(_KINDS), self._memory), np.inf, precision),
            "bin_mean": ((self._bins,), 0.0, np.float64),
            "bin_count": ((self._bins,), 0, np.int64),
            "level": ((), 0.0, np.float64),
            "recent": ((self._quiet,), 0.0, precision),
        }
        self._s: dict[str, np.ndarray[Any, Any]] = {
            name: np.full((0, *shape), fill, dtype) for name, (shape, fill, dtype) in self._fields.items()
        }
        self._n = 0

    def score(self, series: Ints, time: Floats, value: Floats) -> Floats:
        """Scores of rows in their order; all arrays have n elements. O(n memory), vectorised over series.

        `series` are dense numbers from 0 on. Rows with a negative series, a time or value that is not finite score 0
        and teach nothing.
        """
        out = np.zeros(len(series))
        keep = np.flatnonzero((series >= 0) & np.isfinite(time) & np.isfinite(value))
        self._grow(int(series[keep].max(initial=-1)) + 1)
        order = keep[np.argsort(series[keep], kind="stable")]
        of = series[order]
        first = np.append(True, of[1:] != of[:-1]) if len(of) else np.empty(0, bool)
        starts = np.flatnonzero(first)
        lengths = np.diff(np.append(starts, len(order)))
        for turn in range(int(lengths.max(initial=0))):
            at = order[starts[lengths > turn] + turn]
            out[at] = self._turn(series[at], time[at], value[at])
        return out

    def state(self) -> dict[str, np.ndarray[Any, Any]]:
        """A checkpoint: copies of everything the next call depends on."""
        arrays = {name: array[: self._n].copy() for name, array in self._s.items()}
        return {"series": np.arange(self._n, dtype=np.int64), **arrays}

    def restore(self, state: Mapping[str, np.ndarray[Any, Any]]) -> None:
        """Go back to a checkpoint taken with the same memory; raises BadInput if it does not fit."""
        self._s = checked(self.name, "series", state, self._fields)
        self._n = len(state["series"])

    def _grow(self, n: int) -> None:
        for name, (_, fill, _) in self._fields.items():
            self._s[name] = grown(self._s[name], n, fill)
        self._n = max(self._n, n)

    def _turn(self, r: Ints, time: Floats, value: Floats) -> Floats:
        """One row of each series in r."""
        s, count = self._s, self._s["count"][r]
        strange = np.stack([self._novelty(r, value), self._shift(r, value), self._off_habit(r, time, value)], axis=1)
        excess = self._excess(r, strange)
        power = excess ** int(ANOMALY_SHARPNESS.value)
        raw = (power / (1.0 + power)).mean(axis=1)
        fresh = raw > s["recent"][r].max(axis=1)
        s["strange"][r, :, count % self._memory] = strange
        s["recent"][r, count % self._quiet] = raw
        s["count"][r] = count + 1
        return np.where(fresh, raw, 0.0)

    def _novelty(self, r: Ints, value: Floats) -> Floats:
        """Distance to the nearest of the remembered values."""
        filled = min(int(self._s["count"][r].max()), self._memory)
        if not filled:
            return np.zeros(len(r))
        width, count = self._s["value"].shape[1], self._s["count"][r]
        known = self._s["value"][r[:, None], (count[:, None] - 1 - np.arange(filled)) % width]
        nearest: Floats = np.abs(known - value[:, None]).min(axis=1)
        return np.where(count > 0, nearest, 0.0)

    def _shift(self, r: Ints, value: Floats) -> Floats:
        """Difference of a short and a ten times longer mean; learns the value."""
        values, count = self._s["value"], self._s["count"][r]
        width = values.shape[1]
        values[r, count % width] = value
        back = np.arange(min(_LONG * self._short, int(count.max()) + 1))
        last = values[r[:, None], (count[:, None] - back) % width].astype(np.float64)
        means = []
        for rows in (self._short, _LONG * self._short):
            n = np.minimum(count + 1, rows)
            means.append(np.where(back < n[:, None], last, 0.0).sum(axis=1) / n)
        return np.asarray(np.abs(means[0] - means[1]))

    def _off_habit(self, r: Ints, time: Floats, value: Floats) -> Floats:
        """Distance from the mean of this time of day, or from the recent level where none is known yet."""
        s = self._s
        share = ((time - self._day_begins) % _DAY_SECONDS) / _DAY_SECONDS
        at = np.minimum((share * self._bins).astype(np.int64), self._bins - 1)
        n = np.minimum(s["count"][r] + 1, 200)
        s["level"][r] += (value - s["level"][r]) / n
        known = s["bin_count"][r, at]
        away = np.abs(value - np.where(known > 0, s["bin_mean"][r, at], s["level"][r]))
        s["bin_count"][r, at] = known + 1
        s["bin_mean"][r, at] += (value - s["bin_mean"][r, at]) / np.minimum(known + 1, ANOMALY_DAY_MEMORY.value)
        return away

    def _excess(self, r: Ints, strange: Floats) -> Floats:
        """How far each strangeness exceeds its median, in units of the largest usual one; shape (n, kinds), from 0."""
        count = np.minimum(self._s["count"][r], self._memory)
        if count.max() < self._warm_up:
            return np.zeros(strange.shape)
        usual = np.sort(self._s["strange"][r, :, : int(count.max())], axis=2).astype(np.float64)
        row = np.arange(len(r))
        out = np.zeros(strange.shape)
        for kind, quantile in enumerate(_QUANTILES):
            median = usual[row, kind, count // 2]
            high = usual[row, kind, np.minimum(count - 1, (quantile * count).astype(np.int64))]
            span = high - median
            span = np.where(span <= _SMALLEST, usual[row, kind, count - 1] - median, span)
            above = strange[:, kind] - median
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = above / span
            sudden = np.where(above > _SMALLEST, _BOUNDLESS, 0.0)
            out[:, kind] = np.where(span <= _SMALLEST, sudden, np.clip(ratio, 0.0, _BOUNDLESS))
        out[count < self._warm_up] = 0.0
        return out
