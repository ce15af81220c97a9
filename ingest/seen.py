"""Devices that spoke enter, those whose sign of life is worth a write now leave; at most one each few seconds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from devices.registry import DeviceEntry
from ingest.columns import CleanReadings

SEEN_EVERY_SECONDS = 5.0


class SeenBook:
    """When each device was last noted as heard."""

    def __init__(self) -> None:
        self._noted: NDArray[np.float64] = np.full(0, -np.inf)

    def clear(self) -> None:
        """Forget: the next message of every device is noted."""
        self._noted = np.full(0, -np.inf)

    def due(
        self, clean: CleanReadings, others: Iterable[tuple[DeviceEntry, float]], now: float
    ) -> dict[int, tuple[DeviceEntry, float]]:
        """Devices to note, sorted by key: each with its entry and the newest time of a sample of it."""
        due = self._due_of_columns(clean, now)
        for entry, sample in others:
            if now - self._noted_at(entry.key) >= SEEN_EVERY_SECONDS:
                before = due.get(entry.key)
                due[entry.key] = (entry, max(sample, before[1]) if before else sample)
        return dict(sorted(due.items()))

    def remember(self, keys: Sequence[int], now: float) -> None:
        """These were noted."""
        if not keys:
            return
        missing = max(keys) + 1 - len(self._noted)
        if missing > 0:
            self._noted = np.concatenate([self._noted, np.full(missing + 1024, -np.inf)])
        self._noted[list(keys)] = now

    def _due_of_columns(self, clean: CleanReadings, now: float) -> dict[int, tuple[DeviceEntry, float]]:
        if not clean.entries:
            return {}
        keys = np.fromiter((entry.key for entry in clean.entries), np.int64, len(clean.entries))
        noted = np.full(len(keys), -np.inf)
        known = keys < len(self._noted)
        noted[known] = self._noted[keys[known]]
        found: dict[int, tuple[DeviceEntry, float]] = {}
        for index in np.flatnonzero(now - noted >= SEEN_EVERY_SECONDS).tolist():
            entry, sample = clean.entries[index], float(clean.newest[index])
            before = found.get(entry.key)
            found[entry.key] = (entry, max(sample, before[1]) if before else sample)
        return found

    def _noted_at(self, key: int) -> float:
        return float(self._noted[key]) if key < len(self._noted) else -np.inf
