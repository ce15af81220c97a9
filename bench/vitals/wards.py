"""Vitals of recorded hospital stays enter, alert rates and their association with death in hospital leave.

Every stay is a resident of whom nothing is known, met by the production detectors with their defaults as hours pass.
No reading has a label: a rate is that of very ill people, and what it is worth shows only in who died. Readings that
ingest would refuse are left out. `vitals.csv.gz`: record_id, minute, param, value; `patients.csv`: record_id,
in_hospital_death and severity scores of the first day.
"""

from __future__ import annotations

import csv
import gzip
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from alerts.detectors.base import Batch, Finding
from alerts.detectors.fever import FeverDetector
from alerts.detectors.news2 import News2Detector
from alerts.detectors.vitals import VitalsDetector
from bench.routine.measure import area
from core.errors import BadInput
from core.metrics import BY_CODE

PARAMS: Final = {
    "HR": "heart_rate", "RespRate": "resp_rate", "Temp": "body_temp", "SaO2": "spo2", "SysABP": "bp_sys",
    "NISysABP": "bp_sys", "DiasABP": "bp_dia", "NIDiasABP": "bp_dia",
}  # fmt: skip
BEGIN: Final = 1_764_000_000.0
STEP_SECONDS, HOURS = 1800.0, 48
_SEVERE: Final = 15  # of the Glasgow coma scale: below it consciousness is not what it should be


class Stays(NamedTuple):
    """All stays: their readings in order of time, and who died."""

    readings: Batch
    coma: np.ndarray
    """(n, 3): stay, seconds, Glasgow coma scale; in order of time."""
    died: np.ndarray
    scores: dict[str, np.ndarray]


def read(data: Path) -> Stays:
    """The stays of a folder whose outcome is known. Raises BadInput where a file is missing."""
    for name in ("vitals.csv.gz", "patients.csv"):
        if not (data / name).is_file():
            raise BadInput(f"{data / name} is missing")
    with (data / "patients.csv").open(newline="", encoding="utf-8") as file:
        people = [row for row in csv.DictReader(file) if row["in_hospital_death"] in ("0", "1")]
    number = {row["record_id"]: i for i, row in enumerate(people)}
    rows, coma = [], []
    with gzip.open(data / "vitals.csv.gz", "rt", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            stay, code = number.get(row["record_id"]), PARAMS.get(row["param"])
            if stay is None:
                continue
            time, value = BEGIN + 60 * float(row["minute"]), float(row["value"])
            if row["param"] == "GCS":
                coma.append((stay, time, value))
            elif code is not None and BY_CODE[code].low <= value <= BY_CODE[code].high:
                rows.append((stay, BY_CODE[code].id, time, value))
    rows.sort(key=lambda row: row[2])
    stay_, metric, time_, value_ = (np.array(part) for part in zip(*rows, strict=True))
    scores = {name: np.array([float(row[name] or "nan") for row in people]) for name in ("saps_i", "sofa", "age")}
    died = np.array([row["in_hospital_death"] == "1" for row in people])
    return Stays(
        Batch(stay_.astype(np.int64), metric.astype(np.int16), time_, value_),
        np.array(sorted(coma, key=lambda row: row[1])).reshape(-1, 3), died, scores,
    )  # fmt: skip


def live_through(stays: Stays) -> tuple[list[Finding], np.ndarray]:
    """All findings, and the highest and mean aggregate of NEWS2 of each stay, (stays, 2)."""
    vitals, news2, fever = VitalsDetector(), News2Detector(), FeverDetector()
    n, found = len(stays.died), []
    total, count, highest = np.zeros(n), np.zeros(n), np.zeros(n)
    edges = BEGIN + STEP_SECONDS * np.arange(1, round(HOURS * 3600 / STEP_SECONDS) + 1)
    at, coma_at = (np.searchsorted(time, edges) for time in (stays.readings.time, stays.coma[:, 1]))
    before = coma_before = 0
    for now, until, coma_until in zip(edges, at, coma_at, strict=True):
        for stay, _, scale in stays.coma[coma_before:coma_until]:
            news2.set_clinical(int(stay), oxygen=None, altered=bool(scale < _SEVERE))
        batch = Batch(*(part[before:until] for part in stays.readings))
        before, coma_before = until, coma_until
        for detector in (vitals, news2, fever):
            found += detector.consume(batch) + detector.tick(float(now))
        who, aggregate = news2.aggregates(float(now))
        total[who] += aggregate
        count[who] += 1
        highest[who] = np.maximum(highest[who], aggregate)
    return found, np.stack([highest, total / np.maximum(count, 1)], axis=1)


def figures(data: Path, seed: int = 1) -> dict[str, Any]:
    """Alerts a person-day by type and severity, and the area under the curve for death in hospital."""
    stays = read(data)
    found, news2 = live_through(stays)
    raised = [finding for finding in found if finding.phase == "raised"]
    days = len(stays.died) * HOURS / 24
    by_type: dict[str, Counter[str]] = defaultdict(Counter)
    severe = np.zeros((len(stays.died), 2))
    for finding in raised:
        by_type[finding.type][finding.severity.value] += 1
        severe[finding.subject, int(finding.detector == "news2")] += finding.severity.value == "critical"
    measured = {"news2_highest": news2[:, 0], "news2_mean": news2[:, 1], "vital_alerts_critical": severe[:, 0]}
    return {
        "stays": len(stays.died),
        "deaths": int(stays.died.sum()),
        "readings": len(stays.readings.time),
        "alerts_a_person_day": {
            kind: {severity: round(k / days, 3) for severity, k in sorted(counted.items())}
            for kind, counted in sorted(by_type.items())
        },
        "news2_critical": _shares(severe[:, 1] > 0, stays.died),
        "area_for_death": {
            name: _area(score, stays.died, seed) for name, score in (measured | stays.scores).items()
        },
    }  # fmt: skip


def _shares(alarm: np.ndarray, died: np.ndarray) -> dict[str, float | None]:
    def share(of: np.ndarray) -> float | None:
        return round(float(of.mean()), 3) if len(of) else None

    return {"of_stays": share(alarm), "died_with": share(died[alarm]), "died_without": share(died[~alarm])}


def _area(score: np.ndarray, died: np.ndarray, seed: int, draws: int = 300) -> list[float]:
    """Area with its 95 % interval by drawing stays anew; stays without the score are left out."""
    known = ~np.isnan(score)
    score, died = score[known], died[known]
    rng = np.random.default_rng(seed)
    drawn = [area(score[at], died[at]) for at in rng.integers(0, len(score), (draws, len(score)))]
    return [round(float(x), 3) for x in (area(score, died), *np.percentile(drawn, [2.5, 97.5]))]
