"""Time: who needs it takes a Clock; the machine's time or a hand-moved one leaves.

Every process builds one `SystemClock` in its `__main__` and hands it down; tests hand down a `ManualClock`.
Nothing else in the code may ask the machine for the time (`tests/test_architecture.py` enforces it).
"""

from __future__ import annotations

import threading
import time as _time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Where time comes from: wall time for people and records, monotonic time for measuring spans."""

    def time(self) -> float:
        """Wall time, Unix seconds."""
        ...

    def monotonic(self) -> float:
        """Seconds that never step back; only differences mean something."""
        ...

    def now(self) -> datetime:
        """Wall time, aware, UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait; returns at once for a manual clock, which moves instead."""
        ...


class SystemClock:
    """The machine's clock."""

    def time(self) -> float:
        return _time.time()

    def monotonic(self) -> float:
        return _time.monotonic()

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        _time.sleep(max(0.0, seconds))


class ManualClock:
    """A clock that stands still until it is moved; for tests and replays. Safe to share between threads."""

    def __init__(self, start: datetime | float = 1_764_000_000.0) -> None:
        self._time = start.timestamp() if isinstance(start, datetime) else float(start)
        self._monotonic = 0.0
        self._lock = threading.Lock()

    def time(self) -> float:
        with self._lock:
            return self._time

    def monotonic(self) -> float:
        with self._lock:
            return self._monotonic

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.time(), UTC)

    def sleep(self, seconds: float) -> None:
        self.advance(max(0.0, seconds))

    def advance(self, seconds: float | timedelta) -> None:
        """Move both wall and monotonic time forward."""
        step = seconds.total_seconds() if isinstance(seconds, timedelta) else float(seconds)
        if step < 0:
            raise ValueError("a clock is moved forward; use `step` for a wall clock that jumps")
        with self._lock:
            self._time += step
            self._monotonic += step

    def step(self, seconds: float) -> None:
        """Jump the wall clock alone, as an NTP correction or a dead clock battery does."""
        with self._lock:
            self._time += seconds


def from_unix(seconds: float) -> datetime:
    """Unix seconds as an aware UTC datetime."""
    return datetime.fromtimestamp(seconds, UTC)
