"""Recorded homes: gzipped CSVs of firings and vital readings enter, the rows that count leave, sorted by nothing yet.

`activity.csv.gz` has patient_id, timestamp, location; `physiology.csv.gz` patient_id, timestamp, device_type, value,
unit. Times are local and taken as they stand. `anhu evaluate routine` and the benches read them here.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from core.errors import BadInput
from core.metrics import BY_CODE

LOCATIONS: Final = ("kitchen", "hallway", "lounge", "bedroom", "bathroom", "fridge-door", "front-door", "back-door")
MOTION: Final = BY_CODE["motion"].id
DOOR: Final = BY_CODE["door"].id
_DEVICE_METRICS: Final = {
    "Heart rate": "heart_rate",
    "Systolic blood pressure": "bp_sys",
    "Diastolic blood pressure": "bp_dia",
    "Body Temperature": "body_temp",
    "Body weight": "weight",
}
DAY_SECONDS: Final = 86_400
ACTIVITY: Final = "activity.csv.gz"
PHYSIOLOGY: Final = "physiology.csv.gz"


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
        return int(self.time // DAY_SECONDS)


def read_activity(path: Path) -> Iterator[Row]:
    """The firings of all homes, file order. Raises BadInput naming file, row and what is wrong."""
    for where, row in _read(path, ("patient_id", "timestamp", "location")):
        time, location = _seconds(row["timestamp"], where), row["location"]
        if location not in LOCATIONS:
            yield Row(row["patient_id"], time, -1, -1, 0.0)
            continue
        metric = DOOR if location.endswith("-door") else MOTION
        yield Row(row["patient_id"], time, metric, LOCATIONS.index(location), 1.0)


def read_physiology(path: Path) -> Iterator[Row]:
    """The readings of all homes, file order; what ingest would have refused has metric -1. Raises BadInput."""
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
