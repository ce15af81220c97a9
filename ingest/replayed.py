"""Messages with a number enter; whether one only says again what was said before, under a fresh time, leaves.

A gateway that repeats its cache sends the same number with the same values while the time goes on. A redelivery has its
old time and is no news; a device that always says the same number but measures is told apart by its values.
"""

from __future__ import annotations


class ReplayBook:
    """The last number, time and values of each device; it grows with the registry and no further."""

    def __init__(self) -> None:
        self._last: dict[int, tuple[int, float, tuple[float, ...]]] = {}

    def repeats(self, device_key: int, seq: int | None, time: float | None, metrics: dict[str, float]) -> bool:
        """Whether number and values are those of the message before, and the time is later (same unit as there)."""
        if seq is None or time is None:
            return False
        values = tuple(metrics.values())
        before = self._last.get(device_key)
        if before is not None and before[0] == seq and time > before[1] and before[2] == values:
            return True
        self._last[device_key] = (seq, time, values)
        return False
