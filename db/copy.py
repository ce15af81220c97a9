"""Batch writing: NumPy columns enter, PostgreSQL's binary COPY stream leaves.

A structured array whose memory is the wire format needs no work per row. Layout of a row: field count (int16), then
for each field its length (int32) and its big-endian bytes.
Source: https://www.postgresql.org/docs/current/sql-copy.html, section "Binary Format".
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SIGNATURE = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER = b"\xff\xff"
POSTGRES_EPOCH_SECONDS = 946_684_800
"""2000-01-01 00:00 UTC, from which PostgreSQL counts microseconds."""

_KEY_AND_VALUE = [
    ("fields", ">i2"),
    ("n_device", ">i4"), ("device", ">i4"),
    ("n_metric", ">i4"), ("metric", ">i2"),
    ("n_time", ">i4"), ("time", ">i8"),
    ("n_value", ">i4"), ("value", ">f8"),
    ("n_flags", ">i4"), ("flags", ">i2"),
]  # fmt: skip
_READING = np.dtype([*_KEY_AND_VALUE, ("n_delay", ">i4"), ("delay", ">i4")])
_LATEST = np.dtype([*_KEY_AND_VALUE, ("n_received", ">i4"), ("received", ">i8")])


def to_postgres_microseconds(unix_seconds: NDArray[np.float64]) -> NDArray[np.int64]:
    """Unix seconds, shape (n,), as microseconds of PostgreSQL's epoch, rounded half to even."""
    return np.rint((unix_seconds - POSTGRES_EPOCH_SECONDS) * 1e6).astype(np.int64)


def delay_seconds(time: NDArray[np.float64], received: float | NDArray[np.float64]) -> NDArray[np.int32]:
    """From a device's time to that of receipt in whole seconds, the fraction dropped; shape (n,).

    Below 0 where the device's clock runs ahead. The columnstore keeps a delay, nearly always the same small number, in
    a thirtieth of what a second point in time takes.
    """
    return np.trunc(received - time).astype(np.int32)


def readings_stream(
    device_key: NDArray[Any],
    metric: NDArray[Any],
    time: NDArray[np.float64],
    value: NDArray[np.float64],
    flags: NDArray[Any],
    received: float | NDArray[np.float64],
) -> bytes:
    """The COPY stream of n readings (device_key, metric, time, value, flags, delay_seconds).

    Arrays have shape (n,); `time` and `received` (one for all, or one each) are Unix seconds.
    """
    rows = _rows(_READING, device_key, metric, time, value, flags)
    rows["n_delay"], rows["delay"] = 4, delay_seconds(time, received)
    return SIGNATURE + rows.tobytes() + TRAILER


def latest_stream(
    device_key: NDArray[Any],
    metric: NDArray[Any],
    time: NDArray[np.float64],
    value: NDArray[np.float64],
    flags: NDArray[Any],
    received: float,
) -> bytes:
    """The COPY stream of n newest values (device_key, metric, time, value, flags, received); as `readings_stream`."""
    rows = _rows(_LATEST, device_key, metric, time, value, flags)
    rows["n_received"], rows["received"] = 8, to_postgres_microseconds(np.array([received]))[0]
    return SIGNATURE + rows.tobytes() + TRAILER


def _rows(
    layout: np.dtype[Any],
    device_key: NDArray[Any],
    metric: NDArray[Any],
    time: NDArray[np.float64],
    value: NDArray[np.float64],
    flags: NDArray[Any],
) -> NDArray[Any]:
    """Rows of a layout, its last field still to be filled in."""
    rows = np.empty(len(device_key), layout)
    rows["fields"] = 6
    rows["n_device"], rows["device"] = 4, device_key
    rows["n_metric"], rows["metric"] = 2, metric
    rows["n_time"], rows["time"] = 8, to_postgres_microseconds(time)
    rows["n_value"], rows["value"] = 8, value
    rows["n_flags"], rows["flags"] = 2, flags
    return rows
