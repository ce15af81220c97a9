"""`anhu evaluate routine`: firings and vital readings of homes enter, a row of scores for every home-day leaves.

The detectors are those of production with their defaults, met by every home afresh; a day's scores are asked for when
the day's readings have been shown, so nothing of a later day is known. Times are local and taken as they stand.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np

from alerts.detectors.base import Batch
from alerts.detectors.routine_day import RoutineDay
from alerts.detectors.vital_day import VitalDayScore
from core.errors import BadInput
from core.metrics import BY_CODE

_LOCATIONS = ("kitchen", "hallway", "lounge", "bedroom", "bathroom", "fridge-door", "front-door", "back-door")
_MOTION, _DOOR = BY_CODE["motion"].id, BY_CODE["door"].id
_DEVICE_METRICS = {
    "Heart rate": "heart_rate",
    "Systolic blood pressure": "bp_sys",
    "Diastolic blood pressure": "bp_dia",
    "Body Temperature": "body_temp",
    "Body weight": "weight",
}
_DAY_SECONDS = 86_400
ACTIVITY, PHYSIOLOGY = "activity.csv.gz", "physiology.csv.gz"


class Row(NamedTuple):
    """One firing or reading that counts; `metric` -1 for what only makes the day a home-day."""

    home: str
    time: float
    metric: int
    sensor: int
    value: float

    @property
    def day(self) -> int:
        """Days since 1970."""
        return int(self.time // _DAY_SECONDS)


def evaluate(source: Path, target: Path) -> tuple[int, int]:
    """Score every home-day; how many homes and days. Raises BadInput naming file, row and what is wrong."""
    rows = sorted([*_activity(source / ACTIVITY), *_physiology(source / PHYSIOLOGY)])
    if not rows:
        raise BadInput(f"{source} holds no row")
    homes = days = 0
    with target.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["patient_id", "date", "routine_score", "vitals_score", "reason"])
        for home, of_home in groupby(rows, key=lambda row: row.home):
            homes += 1
            for day, routine, vitals, reason in judge(list(of_home)):
                days += 1
                day_text = date.fromordinal(date(1970, 1, 1).toordinal() + day).isoformat()
                writer.writerow([home, day_text, f"{routine:.6f}", f"{vitals:.6f}", reason])
    return homes, days


def judge(rows: list[Row]) -> Iterator[tuple[int, float, float, str]]:
    """Day, routine score, vitals score and reason of one home's rows, which are sorted by time."""
    routine, vitals = RoutineDay(utc_offset_seconds=0), VitalDayScore(utc_offset_seconds=0)
    one = np.array([0])
    for day, of_day in groupby(rows, key=lambda row: row.day):
        known = [row for row in of_day if row.metric >= 0]
        batch = Batch(
            np.zeros(len(known), np.int64),
            np.array([row.metric for row in known], np.int16),
            np.array([row.time for row in known], np.float64),
            np.array([row.value for row in known], np.float64),
        )
        sensor = np.array([row.sensor for row in known], np.int64)
        routine.consume(batch, sensor, sensor == _LOCATIONS.index("bathroom"))
        vitals.consume(batch)
        (moved,), (why,) = routine.day_scores(one, day)
        (alarming,), (what,) = vitals.day_scores(one, day)
        reasons = [text for score, text in sorted([(moved, why), (alarming, what)], reverse=True) if text]
        yield day, float(moved), float(alarming), "; ".join(reasons)


def _activity(path: Path) -> Iterator[Row]:
    for where, row in _read(path, ("patient_id", "timestamp", "location")):
        time, location = _seconds(row["timestamp"], where), row["location"]
        if location not in _LOCATIONS:
            yield Row(row["patient_id"], time, -1, -1, 0.0)
            continue
        metric = _DOOR if location.endswith("-door") else _MOTION
        yield Row(row["patient_id"], time, metric, _LOCATIONS.index(location), 1.0)


def _physiology(path: Path) -> Iterator[Row]:
    for where, row in _read(path, ("patient_id", "timestamp", "device_type", "value", "unit")):
        time, code = _seconds(row["timestamp"], where), _DEVICE_METRICS.get(row["device_type"])
        if code is None:
            yield Row(row["patient_id"], time, -1, -1, 0.0)
            continue
        try:
            value = float(row["value"])
        except ValueError as error:
            raise BadInput(f"{where}: value must be a number, got {row['value']!r}") from error
        metric = BY_CODE[code]
        plausible = metric.low <= value <= metric.high  # ingest would have refused the others
        yield Row(row["patient_id"], time, metric.id if plausible else -1, -1, value)


def _read(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    """The rows of a gzipped CSV, each with its place."""
    if not path.is_file():
        raise BadInput(f"{path} is missing")
    try:
        with gzip.open(path, "rt", newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            lacking = [name for name in columns if name not in (reader.fieldnames or ())]
            if lacking:
                raise BadInput(f"{path} lacks the columns {', '.join(lacking)}")
            for number, row in enumerate(reader, start=2):
                if None in row or None in row.values():
                    raise BadInput(f"{path}, row {number}: the number of fields is not that of the header")
                if not row["patient_id"]:
                    raise BadInput(f"{path}, row {number}: patient_id is empty")
                yield f"{path}, row {number}", row
    except (csv.Error, UnicodeDecodeError, EOFError, gzip.BadGzipFile) as error:
        raise BadInput(f"{path} is not a gzipped CSV in UTF-8: {error}") from error


def _seconds(text: str, where: str) -> float:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    except ValueError as error:
        raise BadInput(f"{where}: timestamp must be YYYY-MM-DD HH:MM:SS, got {text!r}") from error
