"""Recorded trials: a folder of accelerometer recordings enters, `motion` messages of one device leave.

A folder holds trials.csv (a row per trial: trial_id, fs_hz, acc_start, acc_n; position and is_fall where known) and
signals.npz with acc_mg, int16 milli-g of shape (n, 3), all trials end to end. Labels choose what is published and
are never sent.
"""

from __future__ import annotations

import csv
import math
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInput
from core.limits import ACCELERATION_G_MAX, MOTION_HZ_MAX, MOTION_HZ_MIN, MOTION_SAMPLES_MAX
from simulators import wire
from simulators.faults import Message

Only = Literal["falls", "activities", "all"]

GAP_SECONDS_MIN = 30.0
_SCALE = 0.001
_SEND_DELAY_SECONDS = 0.2
_STATUS_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Trial:
    """One recording: counts int16 (n, 3) in milli-g at `hz`. is_fall is None where the folder does not say."""

    trial_id: str
    hz: float
    position: str
    is_fall: bool | None
    counts: NDArray[np.int16]

    @property
    def seconds(self) -> float:
        return len(self.counts) / self.hz


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a trial lies on the stamped time line."""

    trial: Trial
    start: float


def read_trials(
    folder: Path, *, only: Only = "all", position: str | None = None, limit: int | None = None
) -> list[Trial]:
    """The trials that match, in the order of trials.csv. Raises BadInput with file and line for anything unusable."""
    rows = _rows(folder / "trials.csv")
    signal = _signal(folder / "signals.npz")
    if only not in ("falls", "activities", "all"):
        raise BadInput(f"only must be falls, activities or all, got {only!r}")
    if only != "all" and "is_fall" not in rows[0]:
        raise BadInput(f"{folder / 'trials.csv'} has no is_fall column, so falls cannot be told from activities")
    trials = []
    for number, row in enumerate(rows, start=2):
        trial = _trial(row, signal, f"{folder / 'trials.csv'} line {number}")
        if position is not None and trial.position != position:
            continue
        if only == "all" or trial.is_fall is (only == "falls"):
            trials.append(trial)
        if limit is not None and len(trials) >= limit:
            break
    if not trials:
        raise BadInput(f"no trial in {folder} matches")
    return trials


def lay_out(trials: Sequence[Trial], start: float, *, gap_seconds: float = 45.0) -> tuple[list[Placed], float]:
    """Trials one after the other from `start`, and the end of the last; gaps keep one from continuing another."""
    if not gap_seconds >= GAP_SECONDS_MIN:
        raise BadInput(f"the gap between trials must be {GAP_SECONDS_MIN:.0f} s or more, got {gap_seconds}")
    placed, time = [], start
    for trial in trials:
        placed.append(Placed(trial, time))
        time += trial.seconds + gap_seconds
    return placed, time - gap_seconds


def messages(placed: Sequence[Placed], site: str, device: str, *, window_seconds: float = 5.0) -> Iterator[Message]:
    """The device's messages: its status, and CBOR windows, each sent when its last sample is taken.

    Raises BadInput when `window_seconds` makes windows larger than a message may hold.
    """
    if not window_seconds > 0.0 or any(window_seconds * p.trial.hz > MOTION_SAMPLES_MAX for p in placed):
        raise BadInput(f"window_seconds must be above 0 and give at most {MOTION_SAMPLES_MAX} samples")
    topic, status_topic = wire.topic(site, device, "motion"), wire.topic(site, device, "status")
    sequence, told = 0, -math.inf
    for place in placed:
        trial = place.trial
        if place.start - told >= _STATUS_SECONDS:
            payload = wire.status(place.start, sequence, fw="replay")
            yield Message(place.start, device, status_topic, payload, wire.QOS, retain=True)
            sequence, told = sequence + 1, place.start
        size = max(1, round(window_seconds * trial.hz))
        for first in range(0, len(trial.counts), size):
            counts = trial.counts[first : first + size]
            t0 = place.start + first / trial.hz
            payload = wire.motion_cbor(t0, trial.hz, counts, _SCALE)
            sent = t0 + len(counts) / trial.hz + _SEND_DELAY_SECONDS
            yield Message(sent, device, topic, payload, wire.QOS, retain=False)


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as handle:
            rows = list(csv.DictReader(handle))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{path} cannot be read: {error}") from error
    if not rows:
        raise BadInput(f"{path} holds no trials")
    missing = {"trial_id", "fs_hz", "acc_start", "acc_n"} - set(rows[0])
    if missing:
        raise BadInput(f"{path} lacks the columns {', '.join(sorted(missing))}")
    return rows


def _signal(path: Path) -> NDArray[np.int16]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            signal: NDArray[Any] = archive["acc_mg"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise BadInput(f"{path} cannot be read or has no acc_mg: {error}") from error
    if signal.dtype != np.int16 or signal.ndim != 2 or signal.shape[1] != 3:
        raise BadInput(f"acc_mg in {path} must be int16 of shape (n, 3), got {signal.dtype} {signal.shape}")
    return signal


def _trial(row: dict[str, str], signal: NDArray[np.int16], where: str) -> Trial:
    try:
        hz, start, count = float(row["fs_hz"]), int(row["acc_start"]), int(row["acc_n"])
        label = row.get("is_fall")
        is_fall = None if label in (None, "") else bool(int(label))
    except (TypeError, ValueError) as error:
        raise BadInput(f"{where}: {error}") from error
    if not MOTION_HZ_MIN <= hz <= MOTION_HZ_MAX:
        raise BadInput(f"{where}: fs_hz must be between {MOTION_HZ_MIN} and {MOTION_HZ_MAX}, got {hz}")
    if start < 0 or count < 1 or start + count > len(signal):
        raise BadInput(f"{where}: rows {start} to {start + count} are not in signals.npz, which has {len(signal)}")
    counts = signal[start : start + count]
    if np.abs(counts.astype(np.int32)).max() * _SCALE > ACCELERATION_G_MAX:
        raise BadInput(f"{where}: more than {ACCELERATION_G_MAX} g")
    return Trial(row["trial_id"], hz, row.get("position") or "", is_fall, counts)
