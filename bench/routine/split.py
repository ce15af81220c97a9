"""Recorded homes enter; figures of homes that took no part in choosing the numbers leave as JSON.

`python -m bench.routine.split --data DIR`: homes are divided into halves at random, again and again. On one half the
rule of stillness is chosen among a few (shortest delay within 0.1 alarms a resident-day together with mornings and
nights), and the common day of homes in general is taken (medians); the other half is judged by them. So the figures say
what choosing on homes is worth on other homes. The shipped numbers were chosen on all of them.
"""

from __future__ import annotations

import argparse
import csv
import json
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import numpy as np

from alerts.detectors.inactivity import StillnessRule
from alerts.detectors.routine_day import CommonDay, RoutineDay
from bench.routine.collapse import LONGEST_SECONDS, WAYS_OUT, cuts, homes_of, run
from bench.routine.measure import area, recall
from cli.evaluate_routine import judge
from cli.recorded_homes import ACTIVITY, DAY_SECONDS, read_activity

BUDGET = 0.1
RULES: Final = tuple(
    StillnessRule(quantile, factor, 3600 * hours)
    for quantile, factor, hours in (
        (0.8, 2.0, 2.0), (0.8, 2.0, 2.5), (0.8, 1.5, 3.0), (0.9, 1.5, 1.5), (0.9, 1.5, 2.0), (0.9, 1.0, 2.5),
        (0.9, 1.5, 2.5), (0.9, 1.0, 3.0),
    )
)  # fmt: skip


def halves(n: int, draws: int, seed: int) -> np.ndarray:
    """Which homes choose, (draws, n)."""
    rng = np.random.default_rng(seed)
    return np.array([rng.permutation(n) < n // 2 for _ in range(draws)])


def stillness(data: Path, draws: int, seed: int, collapses: int = 12) -> dict[str, Any]:
    """Alarms a day and mean delay of the homes that did not choose."""
    homes = homes_of(data, WAYS_OUT["front_and_back_door"])
    days = np.array([home.judged_days for home in homes])
    drawn = [cuts(home, collapses, np.random.default_rng([seed, i])) for i, home in enumerate(homes)]
    alarms, hours, count = (np.zeros((len(RULES), len(homes))) for _ in range(3))
    for k, rule in enumerate(RULES):
        for i, outcome in enumerate(run(homes, drawn, rule)):
            alarms[k, i], count[k, i] = outcome.alarms.total(), len(outcome.delays)
            hours[k, i] = sum(LONGEST_SECONDS / 3600 if delay is None else delay for delay in outcome.delays)
    rates, delays, chosen = [], [], []
    for mine in halves(len(homes), draws, seed):
        rate, delay = alarms[:, mine].sum(1) / days[mine].sum(), hours[:, mine].sum(1) / count[:, mine].sum(1)
        best = int(np.argmin(np.where(rate <= BUDGET, delay, 1000 + rate)))
        chosen.append(best)
        rates.append(alarms[best, ~mine].sum() / days[~mine].sum())
        delays.append(hours[best, ~mine].sum() / count[best, ~mine].sum())
    every = [{"rule": rule, "alarms_a_day": round(a.sum() / days.sum(), 4), "delay_hours": round(h.sum() / c.sum(), 2),
              "chosen": chosen.count(k)}
             for k, (rule, a, h, c) in enumerate(zip(RULES, alarms, hours, count, strict=True))]  # fmt: skip
    return {"alarms_a_day": spread(rates), "delay_hours": spread(delays), "rules": every}


def agitation(data: Path, draws: int, seed: int) -> dict[str, Any]:
    """Area and recall for agitation on homes that did not make the common day."""
    with (data / "labels.csv").open(newline="", encoding="utf-8") as file:
        labels = {(r["patient_id"], r["timestamp"][:10]) for r in csv.DictReader(file) if r["type"] == "Agitation"}
    of_home = {name: list(rows) for name, rows in groupby(sorted(read_activity(data / ACTIVITY)), key=lambda r: r.home)}
    names = sorted(of_home)
    usual = [_own_days(of_home[name]) for name in names]
    areas, recalls, commons = [], [], []
    for mine in halves(len(names), draws, seed):
        # The weight of homes in general is that of a home; their spread that of days within one.
        level = np.median([np.median(days, 0) for days, one in zip(usual, mine, strict=True) if one], 0)
        within = [
            1.4826 * np.median(np.abs(days - np.median(days, 0)), 0)
            for days, one in zip(usual, mine, strict=True)
            if one
        ]
        spread_ = np.maximum(np.median(within, 0), 0.05)
        common = CommonDay((float(level[0]), float(level[1])), (float(spread_[0]), float(spread_[1])))
        commons.append([*common.level, *common.spread])
        score, label = [], []
        for name, one in zip(names, mine, strict=True):
            if not one:
                for day, routine, _, _ in judge(of_home[name], RoutineDay(0, common)):
                    score.append(routine)
                    label.append((name, str(np.datetime64(day, "D"))) in labels)
        if any(label):
            areas.append(area(np.array(score), np.array(label)))
            recalls.append(recall(np.array(score), np.array(label)))
    return {"auroc": spread(areas), "recall_at_0.1_a_day": spread(recalls),
            "common_day": np.round(np.median(commons, 0), 3).tolist()}  # fmt: skip


def _own_days(rows: list[Any]) -> np.ndarray:
    """ln moves and ln haste of a home's days, (days, 2), counted plainly."""
    counts, last = [], -1
    for _, of_day in groupby((row for row in rows if row.metric >= 0), key=lambda row: row.day):
        moves, bins = 0, set()
        for row in of_day:
            moves += row.sensor != last
            last = row.sensor
            bins.add(int(row.time % DAY_SECONDS // 300))
        counts.append((np.log(1 + moves), np.log((1 + moves) / (1 + len(bins)))))
    return np.array(counts)


def spread(values: list[float]) -> list[float]:
    """Mean, and what nine draws in ten lie between."""
    return [round(float(x), 3) for x in (np.mean(values), *np.percentile(values, [5, 95]))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    out = {"agitation": agitation(asked.data, 20, asked.seed), "stillness": stillness(asked.data, 200, asked.seed)}
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
