"""Held-out scores of labelled trials enter, the operating point and figures with 95 % intervals leave."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.falls.data import Trial

# What is aimed at: sensitivity and specificity in every set, specificity over older people's activities.
TARGETS = {"wrist": (0.95, 0.95, 0.98), "waist": (0.98, 0.98, 0.98)}
_GRID = np.linspace(-6, 6, 481)
_SOFTNESS = 0.4  # of the wrist's shares, in log-odds
_BEYOND = 0.01  # how far beyond the wrist's targets is aimed


def wilson(hits: int, n: int) -> list[float] | None:
    """[share, low, high] of the 95 % Wilson interval; None without trials. Trials are taken as independent."""
    if not n:
        return None
    z, p = 1.959964, hits / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return [round(p, 4), round(max(0.0, middle - half), 4), round(min(1.0, middle + half), 4)]


def area(score: np.ndarray, fall: np.ndarray) -> float:
    """Chance that a fall scores above another trial, ties counting half."""
    wins = score[fall][:, None] - score[~fall][None]
    return float(((wins > 0) + 0.5 * (wins == 0)).mean())


def operating_point(trials: list[Trial], score: np.ndarray, position: str, use: np.ndarray | None = None) -> float:
    """The log-odds that suit all targets best, over the trials `use` (n,) bool; the middle of equally good ones.

    At the waist, where the sets agree, the worst shortfall is smallest there, shares smoothed by half a trial. At the
    wrist, where they do not, and few trials would decide, it is the sum of squared shortfalls of softly counted shares.
    """
    use = np.ones(len(trials), bool) if use is None else use
    fall = np.array([trial.fall for trial in trials])
    older = np.array([trial.older for trial in trials])
    sets = np.array([trial.set for trial in trials])
    sensitivity, specificity, specificity_older = TARGETS[position]
    share = _soft_share if position == "wrist" else _share
    margins = []
    for name in np.unique(sets[use & fall]):
        margins.append(share(score[use & fall & (sets == name)], 1) - sensitivity)
        margins.append(share(score[use & ~fall & (sets == name)], -1) - specificity)
    margins.append(share(score[use & ~fall & older], -1) - specificity_older)
    if position == "wrist":
        cost = (np.minimum(np.array(margins) - _BEYOND, 0) ** 2).sum(0)
        return float(np.mean(_GRID[cost <= cost.min() + 1e-7]))
    worst = np.min(margins, axis=0)
    return float(np.mean(_GRID[worst >= worst.max() - 1e-3]))


def _share(score: np.ndarray, side: int) -> np.ndarray:
    """Share of scores (n,) on the right side (1 above, -1 below) of each point of the grid."""
    right = score >= _GRID[:, None] if side > 0 else score < _GRID[:, None]
    return np.asarray((right.sum(1) + 0.5) / (right.shape[1] + 1))


def _soft_share(score: np.ndarray, side: int) -> np.ndarray:
    """The same with a score near the point counting in part for either side."""
    if not len(score):
        return np.ones(len(_GRID))
    away = np.clip(side * (score - _GRID[:, None]) / _SOFTNESS, -30, 30)
    return np.asarray((1 / (1 + np.exp(-away))).mean(1))


def report(trials: list[Trial], score: np.ndarray, groups: np.ndarray, position: str) -> dict[str, Any]:
    """Figures per set, each group of trials judged at the operating point of the others."""
    point = np.zeros(len(trials))
    for group in np.unique(groups):
        point[groups == group] = operating_point(trials, score, position, groups != group)
    judged = score >= point
    fall = np.array([trial.fall for trial in trials])
    older = np.array([trial.older for trial in trials])
    sets = np.array([trial.set for trial in trials])
    people = np.array([trial.person for trial in trials])
    out: dict[str, Any] = {"operating_points": [round(float(point.min()), 3), round(float(point.max()), 3)]}
    for name in [*np.unique(sets), "all"]:
        mine = np.ones(len(trials), bool) if name == "all" else sets == name
        hits = {p: judged[mine & fall & (people == p)].mean() for p in np.unique(people[mine & fall])}
        out[str(name)] = {
            "people": len(np.unique(people[mine])),
            "falls": int((mine & fall).sum()),
            "activities": int((mine & ~fall).sum()),
            "sensitivity": wilson(int(judged[mine & fall].sum()), int((mine & fall).sum())),
            "specificity": wilson(int((~judged)[mine & ~fall].sum()), int((mine & ~fall).sum())),
            "specificity_older": wilson(int((~judged)[mine & ~fall & older].sum()), int((mine & ~fall & older).sum())),
            "auc": round(area(score[mine], fall[mine]), 4) if (mine & fall).any() else None,
            "worst_person": min(hits.items(), key=lambda item: item[1])[0] if hits else None,
            "worst_person_sensitivity": round(float(min(hits.values())), 3) if hits else None,
        }
    return out
