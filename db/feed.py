"""The feed: columns of committed readings or motion windows enter, numbered packed rows leave, in the order of commit.

Ingest appends one row per batch as the last statement of its transaction; followers (detectors, rollups) read on from
their own number. The number is raised under a row lock that lasts until the commit, so a follower that has seen
number n will never meet a smaller one later. Duplicates may appear; followers work in event time and do not mind.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from db.tenant import Transaction

READINGS = 1
MOTION = 2

_READING_BYTES = 4 + 2 + 8 + 8
_MOTION_BYTES = 4 + 8


@dataclass(frozen=True, slots=True, eq=False)
class ReadingColumns:
    """Readings as columns of equal length n."""

    device_key: NDArray[np.int32]
    metric: NDArray[np.int16]
    time: NDArray[np.float64]
    value: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.device_key)


@dataclass(frozen=True, slots=True, eq=False)
class MotionColumns:
    """Keys of motion windows as columns of equal length n."""

    device_key: NDArray[np.int32]
    t0: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.device_key)


@dataclass(frozen=True, slots=True, eq=False)
class FeedRow:
    """One committed batch: its number, when it was received, and what it holds."""

    seq: int
    received: datetime
    columns: ReadingColumns | MotionColumns


def pack(columns: ReadingColumns | MotionColumns) -> bytes:
    """Columns end to end, little-endian."""
    if isinstance(columns, ReadingColumns):
        parts = (
            columns.device_key.astype("<i4"),
            columns.metric.astype("<i2"),
            columns.time.astype("<f8"),
            columns.value.astype("<f8"),
        )
        return b"".join(part.tobytes() for part in parts)
    return columns.device_key.astype("<i4").tobytes() + columns.t0.astype("<f8").tobytes()


def unpack(kind: int, payload: bytes) -> ReadingColumns | MotionColumns:
    """The inverse of `pack`. Raises ValueError when the length does not fit."""
    width = _READING_BYTES if kind == READINGS else _MOTION_BYTES
    n, rest = divmod(len(payload), width)
    if rest:
        raise ValueError(f"feed payload of {len(payload)} bytes is not a multiple of {width}")
    device_key = np.frombuffer(payload, "<i4", n)
    if kind == MOTION:
        return MotionColumns(device_key, np.frombuffer(payload, "<f8", n, 4 * n))
    return ReadingColumns(
        device_key,
        np.frombuffer(payload, "<i2", n, 4 * n),
        np.frombuffer(payload, "<f8", n, 6 * n),
        np.frombuffer(payload, "<f8", n, 14 * n),
    )


def append(transaction: Transaction, columns: ReadingColumns | MotionColumns, received: datetime) -> None:
    """Add one batch; the last statement of its transaction, since it holds the lock of the numbering."""
    if len(columns):
        transaction.run(
            "feed.append",
            kind=READINGS if isinstance(columns, ReadingColumns) else MOTION,
            rows=len(columns),
            payload=pack(columns),
            received=received,
        )


def read_after(transaction: Transaction, seq: int, *, batches_max: int = 64) -> list[FeedRow]:
    """The next committed batches after a number, oldest first."""
    rows = transaction.all("feed.read_after", seq=seq, limit=batches_max)
    return [FeedRow(row["seq"], row["received"], unpack(row["kind"], row["payload"])) for row in rows]
