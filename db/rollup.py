"""Rollups on plain PostgreSQL: the feed of committed readings enters, refreshed 5 min, 1 h and 1 d buckets leave.

The feed names every bucket that new or late readings touched; those are computed again from the level below, so the
result is the same in whatever order and however often readings came. TimescaleDB does this by itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.clock import Clock, from_unix
from db import feed
from db.tenant import Transaction

FOLLOWER = "rollup"
CHINA_OFFSET_SECONDS = 8 * 3600
"""Days begin at midnight in China, which has no daylight saving."""

_LEVELS = (("refresh_5m", 300, 0), ("refresh_1h", 3600, 0), ("refresh_1d", 86_400, CHINA_OFFSET_SECONDS))


def follow(tx: Transaction, clock: Clock, *, batches_max: int = 256) -> int:
    """Refresh what the next batches of the feed touched; how many batches there were."""
    tx.run("feed.start_follower", name=FOLLOWER, now=clock.now())
    state = tx.one("feed.follower", name=FOLLOWER)
    rows = feed.read_after(tx, state["seq"], batches_max=batches_max)
    if not rows:
        return 0
    columns = [row.columns for row in rows if isinstance(row.columns, feed.ReadingColumns)]
    if columns:
        _refresh(
            tx,
            np.concatenate([one.device_key for one in columns]),
            np.concatenate([one.metric for one in columns]),
            np.concatenate([one.time for one in columns]),
        )
    tx.run("feed.advance_follower", name=FOLLOWER, seq=rows[-1].seq, now=clock.now())
    tx.run("feed.checkpoint_follower", name=FOLLOWER, seq=rows[-1].seq, checkpoint=None, now=clock.now())
    return len(rows)


def _refresh(tx: Transaction, device: NDArray[Any], metric: NDArray[Any], time: NDArray[np.float64]) -> None:
    for query, seconds, offset in _LEVELS:
        bucket = np.floor((time + offset) / seconds).astype(np.int64)
        touched = np.unique(np.stack([device.astype(np.int64), metric.astype(np.int64), bucket]), axis=1)
        device, metric = touched[0], touched[1]
        time = touched[2] * float(seconds) - offset
        tx.run(f"rollup.{query}", device_key=device.tolist(), metric=metric.tolist(), bucket=time.tolist())


def rebuild(tx: Transaction, devices: list[int], start: float, end: float) -> None:
    """Compute every bucket that touches [start, end), Unix seconds, of these devices from the readings.

    For readings that did not come through the feed. Whole days are computed, so that no bucket is left half. On
    TimescaleDB nothing is done: its aggregates see late rows by themselves.
    """
    if tx.one("maintenance.is_timescale")["yes"]:
        return
    first = (start + CHINA_OFFSET_SECONDS) // 86_400 * 86_400 - CHINA_OFFSET_SECONDS
    last = -((end + CHINA_OFFSET_SECONDS) // -86_400) * 86_400 - CHINA_OFFSET_SECONDS
    for query in ("rollup.rebuild_5m", "rollup.rebuild_1h", "rollup.rebuild_1d"):
        tx.run(query, devices=devices, start=from_unix(first), end=from_unix(last))
