"""Readings as columns and as objects enter; rows sorted by key, each key once, leave for the database and the feed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.readings import Reading
from db import feed
from db.copy import latest_stream, readings_stream, to_postgres_microseconds
from ingest.columns import CleanReadings


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """n readings sorted by (device, metric, time), no key twice."""

    columns: feed.ReadingColumns
    flags: NDArray[np.int16]
    doubled: int = 0
    """How many more there were under a key that is in here."""

    def __len__(self) -> int:
        return len(self.flags)

    def stream(self, received: float) -> bytes:
        """As PostgreSQL's binary COPY."""
        c = self.columns
        return readings_stream(c.device_key, c.metric, c.time, c.value, self.flags, received)

    def latest_stream(self, received: float) -> bytes:
        """As PostgreSQL's binary COPY for the latest values."""
        c = self.columns
        return latest_stream(c.device_key, c.metric, c.time, c.value, self.flags, received)

    def newest(self) -> Rows:
        """The newest of each (device, metric)."""
        c = self.columns
        last = np.ones(len(self), bool)
        last[:-1] = (c.device_key[1:] != c.device_key[:-1]) | (c.metric[1:] != c.metric[:-1])
        return self._at(last)

    def _at(self, index: NDArray[Any], doubled: int = 0) -> Rows:
        c = self.columns
        picked = feed.ReadingColumns(c.device_key[index], c.metric[index], c.time[index], c.value[index])
        return Rows(picked, self.flags[index], doubled)


def newest_of(some: Sequence[Rows]) -> Rows:
    """The newest of each (device, metric) in any of them."""
    if len(some) == 1:
        return some[0].newest()
    each = [rows.columns for rows in some]
    columns = feed.ReadingColumns(
        np.concatenate([c.device_key for c in each]),
        np.concatenate([c.metric for c in each]),
        np.concatenate([c.time for c in each]),
        np.concatenate([c.value for c in each]),
    )
    order = np.lexsort((columns.time, columns.metric, columns.device_key))
    return Rows(columns, np.concatenate([rows.flags for rows in some]))._at(order).newest()


def sorted_rows(clean: CleanReadings, others: Sequence[Reading] = ()) -> Rows:
    """Both kinds together. Of several under one key the first stays, as the database would have it."""
    n = len(others)
    device, metric, time, value = clean.device_key, clean.metric, clean.time, clean.value
    flags = np.zeros(len(clean) + n, np.int16)
    if n:
        device = np.concatenate([device, np.fromiter((r.device_key for r in others), np.int32, n)])
        metric = np.concatenate([metric, np.fromiter((r.metric for r in others), np.int16, n)])
        time = np.concatenate([time, np.fromiter((r.time for r in others), np.float64, n)])
        value = np.concatenate([value, np.fromiter((r.value for r in others), np.float64, n)])
        flags[len(clean) :] = np.fromiter((r.flags for r in others), np.int16, n)
    # Times as the database keeps them: two that differ by less than a microsecond are one key there.
    moment = to_postgres_microseconds(time)
    key = (device.astype(np.int64) << 16) | metric
    order = np.lexsort((moment, key))
    key, moment = key[order], moment[order]
    again = np.zeros(len(order), bool)
    again[1:] = (key[1:] == key[:-1]) & (moment[1:] == moment[:-1])
    doubled = int(again.sum())
    every = Rows(feed.ReadingColumns(device, metric, time, value), flags)
    return every._at(order[~again] if doubled else order, doubled)
