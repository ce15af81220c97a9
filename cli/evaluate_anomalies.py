"""`anhu evaluate anomalies`: CSVs of time and value enter, the same rows with an anomaly score leave.

Every file is met fresh by the same production score with its default parameters; a row's score depends on its own and
earlier rows only. Times are taken as they stand, without a zone.
"""

from __future__ import annotations

import csv
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from alerts.detectors.anomaly import AnomalyScore
from core.errors import BadInput

_COLUMNS = ("timestamp", "value")


class Series(NamedTuple):
    """The rows of a file: texts as they stood, with times in seconds and values; all of length n."""

    timestamps: list[str]
    texts: list[str]
    time: np.ndarray[tuple[int], np.dtype[np.float64]]
    value: np.ndarray[tuple[int], np.dtype[np.float64]]


def evaluate(source: Path, target: Path) -> tuple[int, int]:
    """Score every CSV below `source` into the same place below `target`; how many files and rows. Raises BadInput."""
    if not source.is_dir():
        raise BadInput(f"{source} is not a folder")
    if target.resolve().is_relative_to(source.resolve()):
        raise BadInput(f"{target} lies in the input folder; its results would be read as input")
    paths = sorted(path for path in source.rglob("*.csv") if path.is_file())
    if not paths:
        raise BadInput(f"{source} holds no CSV file")
    rows = 0
    for path in paths:
        series = read_series(path)
        scores = AnomalyScore().score(np.zeros(len(series.time), np.int64), series.time, series.value)
        out = target / path.relative_to(source)
        out.parent.mkdir(parents=True, exist_ok=True)
        with out.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow([*_COLUMNS, "anomaly_score"])
            texts = [f"{score:.6f}" for score in scores]
            writer.writerows(zip(series.timestamps, series.texts, texts, strict=True))
        rows += len(scores)
    return len(paths), rows


def read_series(path: Path) -> Series:
    """The rows of one file. Raises BadInput naming file, row and what is wrong."""
    timestamps, texts, times, values = [], [], [], []
    with path.open(newline="", encoding="utf-8-sig") as file:
        try:
            reader = csv.DictReader(file, strict=True)
            lacking = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
            if lacking:
                raise BadInput(f"{path} lacks the columns {', '.join(lacking)}")
            for number, row in enumerate(reader, start=2):
                if None in row or None in row.values():
                    raise BadInput(f"{path}, row {number}: the number of fields is not that of the header")
                timestamps.append(row["timestamp"])
                texts.append(row["value"])
                times.append(_seconds(row["timestamp"], f"{path}, row {number}"))
                values.append(_number(row["value"], f"{path}, row {number}"))
        except (csv.Error, UnicodeDecodeError) as error:
            raise BadInput(f"{path} is not a CSV in UTF-8: {error}") from error
    if not values:
        raise BadInput(f"{path} holds no row")
    return Series(timestamps, texts, np.array(times), np.array(values))


def _seconds(text: str, where: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadInput(f"{where}: timestamp must be YYYY-MM-DD HH:MM:SS, got {text!r}") from error
    return moment.replace(tzinfo=UTC).timestamp()


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise BadInput(f"{where}: value must be a number, got {text!r}") from error
    if not math.isfinite(value):
        raise BadInput(f"{where}: value must be finite, got {text!r}")
    return value
