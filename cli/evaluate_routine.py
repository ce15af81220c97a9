"""`anhu evaluate routine`: firings and vital readings of homes enter, a row of scores for every home-day leaves.

The detectors are those of production with their defaults, met by every home afresh; a day's scores are asked for when
the day's readings have been shown, so nothing of a later day is known. Times are local and taken as they stand.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date
from itertools import groupby
from pathlib import Path

import numpy as np

from alerts.detectors.base import Batch
from alerts.detectors.routine_day import RoutineDay
from alerts.detectors.vital_day import VitalDayScore
from cli.recorded_homes import ACTIVITY, LOCATIONS, PHYSIOLOGY, Row, read_activity, read_physiology
from core.errors import BadInput


def evaluate(source: Path, target: Path) -> tuple[int, int]:
    """Score every home-day; how many homes and days. Raises BadInput naming file, row and what is wrong."""
    rows = sorted([*read_activity(source / ACTIVITY), *read_physiology(source / PHYSIOLOGY)])
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


def judge(rows: list[Row], routine: RoutineDay | None = None) -> Iterator[tuple[int, float, float, str]]:
    """Day, routine score, vitals score and reason of one home's rows, which are sorted by time; by a fresh detector."""
    routine = RoutineDay(utc_offset_seconds=0) if routine is None else routine
    vitals = VitalDayScore(utc_offset_seconds=0)
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
        routine.consume(batch, sensor, sensor == LOCATIONS.index("bathroom"))
        vitals.consume(batch)
        (moved,), (why,) = routine.day_scores(one, day)
        (alarming,), (what,) = vitals.day_scores(one, day)
        reasons = [text for score, text in sorted([(moved, why), (alarming, what)], reverse=True) if text]
        yield day, float(moved), float(alarming), "; ".join(reasons)
