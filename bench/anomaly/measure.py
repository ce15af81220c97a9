"""Labelled series enter, the streaming score's figures by the rules of the Numenta Anomaly Benchmark leave as JSON.

`python -m bench.anomaly.measure --data DIR`; DIR holds data/ with the series and windows.json. Standard profile; the
threshold of every file is chosen on the other folds of files. Rules: Lavin and Ahmad 2015.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from alerts.detectors.anomaly import AnomalyScore
from cli.evaluate_anomalies import read_series

FALSE_COST, MISS_COST = 0.11, 1.0
FOLDS, DRAWS = 6, 20


def worth(place: np.ndarray) -> np.ndarray:
    """Of a detection at `place` window lengths after a window's last row (negative: within); -1 from 3 on."""
    return np.where(place > 3, -1.0, 2 / (1 + np.exp(5 * np.minimum(place, 3.0))) - 1)


class Judged:
    """One scored file: what it earns at any threshold."""

    def __init__(self, score: np.ndarray, windows: list[tuple[int, int]]) -> None:
        """`score` (n,) 0-1; windows are first and last rows. Rows of the first 15 % (750 at most) are left out."""
        n, begin = len(score), int(min(0.15 * len(score), 750))
        value, free = np.full(n, -1.0), np.ones(n, bool)
        free[:begin] = False
        self.inside = []
        for first, last in windows:
            free[first : last + 1] = False
            width = last - first + 1
            value[last + 1 :] = worth(np.arange(1, n - last) / max(width - 1, 1))
            rows = np.arange(max(first, begin), last + 1)
            self.inside.append((score[rows], worth((rows - last - 1) / width) / worth(np.array(-1.0))))
        self.windows = len(windows)
        order = np.argsort(score[free])
        self._level = score[free][order]
        self._cost = np.append(np.cumsum(value[free][order][::-1])[::-1], 0.0)

    def at(self, threshold: float) -> tuple[float, int, int]:
        """Points, windows found, false detections."""
        false = int(np.searchsorted(self._level, threshold))
        points, found = FALSE_COST * float(self._cost[false]), 0
        for score, value in self.inside:
            hit = score >= threshold
            points += float(value[np.argmax(hit)]) if hit.any() else -MISS_COST
            found += bool(hit.any())
        return points, found, len(self._level) - false


def normalised(points: float, windows: int) -> float:
    """0 for silence, 100 for every window at its first row and nothing else."""
    return 100 * (points + MISS_COST * windows) / ((1 + MISS_COST) * windows)


def by_folds(table: np.ndarray, windows: np.ndarray, rng: np.random.Generator, folds: int) -> float:
    """Score with the threshold of each fold of files chosen on the others; `table` (files, thresholds) of points."""
    fold = rng.permutation(len(table)) % folds
    points = 0.0
    for k in np.unique(fold):
        best = int(np.argmax(table[fold != k].sum(0)))
        points += float(table[fold == k, best].sum())
    return normalised(points, int(windows.sum()))


def read(data: Path) -> dict[str, Judged]:
    """Every file named in windows.json, scored by the production detector. Raises BadInput for bad files."""
    named: dict[str, list[list[str]]] = json.loads((data / "windows.json").read_text(encoding="utf-8"))
    out = {}
    for name, spans in named.items():
        series = read_series(data / "data" / name)
        score = AnomalyScore().score(np.zeros(len(series.time), np.int64), series.time, series.value)
        time = np.array(series.timestamps, "datetime64[us]")
        rows = [np.flatnonzero((time >= np.datetime64(a, "us")) & (time <= np.datetime64(b, "us"))) for a, b in spans]
        out[name] = Judged(np.round(score, 6), [(int(at[0]), int(at[-1])) for at in rows])
    return out


def measure(data: Path, seed: int = 1, draws: int = DRAWS) -> dict[str, Any]:
    """Score at the best threshold of all files, and at thresholds chosen on other files."""
    files = list(read(data).values())
    grid = np.linspace(0.0, 1.0, 2001)[1:]
    table = np.array([[file.at(float(level))[0] for level in grid] for file in files])
    windows = np.array([file.windows for file in files])
    best = float(grid[int(np.argmax(table.sum(0)))])
    rng = np.random.default_rng(seed)
    folded = [by_folds(table, windows, rng, min(FOLDS, len(files))) for _ in range(draws)]
    ends = [file.at(best) for file in files]
    return {
        "files": len(files),
        "windows": int(windows.sum()),
        "threshold_of_all_files": round(best, 4),
        "score_there": round(normalised(sum(e[0] for e in ends), int(windows.sum())), 1),
        "windows_found": sum(e[1] for e in ends),
        "false_detections": sum(e[2] for e in ends),
        "score_with_thresholds_of_other_files": {
            "mean": round(float(np.mean(folded)), 1),
            "sd": round(float(np.std(folded)), 1),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    if not (asked.data / "windows.json").is_file():
        parser.error(f"{asked.data} holds no windows.json")
    print(json.dumps(measure(asked.data, asked.seed), indent=1))


if __name__ == "__main__":
    main()
