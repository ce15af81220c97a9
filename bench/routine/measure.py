"""Recorded homes enter, figures of the production routine, vitals and inactivity detectors leave as JSON.

`python -m bench.routine.measure --data DIR`; DIR holds activity.csv.gz, physiology.csv.gz and labels.csv. Every home
meets the detectors afresh, with their defaults. Nothing is chosen here. About three minutes.
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bench.routine.collapse import WAYS_OUT, figures, homes_of
from cli.evaluate_routine import evaluate

DRAWS = 1000
LABELS = {"Agitation": "routine_score", "Blood pressure": "vitals_score", "Pulse": "vitals_score"}


def area(score: np.ndarray, label: np.ndarray) -> float:
    """Chance that a labelled day scores above another, ties counting half; NaN without both kinds."""
    if not label.any() or label.all():
        return float("nan")
    _, place, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place]
    n = int(label.sum())
    return float((rank[label].sum() - n * (n + 1) / 2) / (n * (len(label) - n)))


def area_within(score: np.ndarray, label: np.ndarray, home: np.ndarray) -> float:
    """`area` over pairs of days of one home, every pair counting alike; NaN where no home has both kinds."""
    total = pairs = 0.0
    for name in np.unique(home[label]):
        mine = home == name
        n = float(label[mine].sum() * (~label[mine]).sum())
        if n:
            total, pairs = total + n * area(score[mine], label[mine]), pairs + n
    return total / pairs if pairs else float("nan")


def interval(score: np.ndarray, label: np.ndarray, home: np.ndarray, seed: int) -> list[float]:
    """95 % interval of `area`, by drawing whole homes anew."""
    rng = np.random.default_rng(seed)
    rows = [np.flatnonzero(home == name) for name in np.unique(home)]
    drawn = []
    for _ in range(DRAWS):
        at = np.concatenate([rows[i] for i in rng.integers(0, len(rows), len(rows))])
        drawn.append(area(score[at], label[at]))
    return [round(float(x), 3) for x in np.nanpercentile(drawn, [2.5, 97.5])]


def recall(score: np.ndarray, label: np.ndarray, budget: float = 0.1) -> float:
    """Share of labelled days at or above the lowest score that keeps to `budget` alerts a day."""
    levels, count = np.unique(score, return_counts=True)
    fits = levels[np.cumsum(count[::-1])[::-1] <= budget * len(score)]
    return float((score[label] >= fits[0]).mean()) if len(fits) else 0.0


def days(data: Path, seed: int) -> dict[str, Any]:
    """Figures of the scores of home-days against days with a confirmed label."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "days.csv"
        evaluate(data, target)
        with target.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    with (data / "labels.csv").open(newline="", encoding="utf-8") as file:
        labels = {(row["patient_id"], row["timestamp"][:10], row["type"]) for row in csv.DictReader(file)}
    home = np.array([row["patient_id"] for row in rows])
    out: dict[str, Any] = {"homes": len(np.unique(home)), "home_days": len(rows)}
    for kind, column in LABELS.items():
        label = np.array([(row["patient_id"], row["date"], kind) in labels for row in rows])
        score = np.array([float(row[column]) for row in rows])
        if not label.any():
            out[kind] = {"label_days": 0}
            continue
        out[kind] = {
            "label_days": int(label.sum()),
            "auroc": round(area(score, label), 4),
            "auroc_interval_by_home": interval(score, label, home, seed),
            "auroc_within_home": round(area_within(score, label, home), 4),
            "recall_at_0.1_a_day": round(recall(score, label), 3),
        }
    return out


def measure(data: Path, seed: int = 1, collapses: int = 12) -> dict[str, Any]:
    """All figures; `collapses` is how many are simulated in each home. Raises BadInput for bad files."""
    out: dict[str, Any] = {"days": days(data, seed)}
    for name, ways_out in WAYS_OUT.items():
        out[name] = figures(homes_of(data, ways_out), seed, collapses)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--collapses", type=int, default=12, help="simulated collapses in each home")
    asked = parser.parse_args()
    if not (asked.data / "labels.csv").is_file():
        parser.error(f"{asked.data} holds no labels.csv")
    print(json.dumps(measure(asked.data, asked.seed, asked.collapses), indent=1))


if __name__ == "__main__":
    main()
