"""Made-up pulses of many people enter; how often the personal baseline speaks, rightly and wrongly, leaves as JSON.

`python -m bench.vitals.pulses [--picture docs/img/baseline.png]`: every person has a rhythm of the day, good and bad
days, slow noise of a size of their own and heavy tails; a reading every five minutes. On the last day the pulse rises
for eight hours. The same detector is asked without the generic anomaly score, too, and with its limit lowered instead.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from alerts.detectors import baseline
from alerts.detectors.base import Batch, Finding
from core.metrics import BY_CODE

PEOPLE, DAYS, STEP_SECONDS = 60, 40, 300.0
DAY_STEPS: Final = round(86_400 / STEP_SECONDS)
RISE: Final = slice((DAYS - 2) * DAY_STEPS + 120, (DAYS - 2) * DAY_STEPS + 216)
BEGIN: Final = 20_000 * 86_400.0
JUDGED_FROM_DAY = 9
VARIANTS: Final = {"as shipped": {}, "without the generic score": {"BASELINE_ANOMALY": 9.0},
                   "limit 3.0 instead": {"BASELINE_ANOMALY": 9.0, "BASELINE_LIMIT": 3.0}}  # fmt: skip


def pulses(rise: float, seed: int = 1) -> np.ndarray:
    """Whole beats a minute, (steps, people)."""
    rng = np.random.default_rng(seed)
    base, swing, noise = rng.uniform(60, 80, PEOPLE), rng.uniform(3, 10, PEOPLE), rng.uniform(1, 3, PEOPLE)
    keep = np.exp(-STEP_SECONDS / 2400)
    out, slow, today = np.empty((DAYS * DAY_STEPS, PEOPLE)), np.zeros(PEOPLE), np.zeros(PEOPLE)
    for i in range(len(out)):
        if i % DAY_STEPS == 0:
            today = rng.normal(0, 2.0, PEOPLE)
        slow = slow * keep + rng.normal(0, 1.5, PEOPLE) * noise * np.sqrt(1 - keep**2)
        hour = np.sin(2 * np.pi * i / DAY_STEPS)
        out[i] = base + swing * hour + today + slow + rng.normal(0, 2, PEOPLE) + 0.7 * rng.standard_t(3, PEOPLE)
    out[RISE] += rise
    return np.round(out)


def raised(values: np.ndarray) -> list[tuple[int, Finding]]:
    """Step and finding of everything that is raised."""
    detector, metric = baseline.PersonalBaseline(0), np.full(PEOPLE, BY_CODE["heart_rate"].id, np.int16)
    out = []
    for i, row in enumerate(values):
        batch = Batch(np.arange(PEOPLE), metric, np.full(PEOPLE, BEGIN + STEP_SECONDS * i), row)
        out += [(i, finding) for finding in detector.consume(batch) if finding.phase == "raised"]
    return out


@contextmanager
def parameters(changed: dict[str, float]) -> Iterator[None]:
    """The detector with other numbers for a while."""
    kept = {name: getattr(baseline, name) for name in changed}
    for name, value in changed.items():
        setattr(baseline, name, replace(kept[name], value=value))
    try:
        yield
    finally:
        for name, value in kept.items():
            setattr(baseline, name, value)


def figures(rises: tuple[float, ...] = (8.0, 10.0)) -> dict[str, Any]:
    """Of each variant: alerts a person-day before the rise, and the share of people whose rise is told."""
    out: dict[str, Any] = {}
    days = PEOPLE * (RISE.start / DAY_STEPS - JUDGED_FROM_DAY)
    for name, changed in VARIANTS.items():
        with parameters(changed):
            for rise in rises:
                told = raised(pulses(rise))
                calm = sum(JUDGED_FROM_DAY * DAY_STEPS <= i < RISE.start for i, _ in told)
                seen = {finding.subject for i, finding in told if RISE.start <= i < RISE.stop}
                out.setdefault(name, {})["alerts_a_person_day"] = round(calm / days, 4)
                out[name][f"rise of {rise:g} seen"] = round(len(seen) / PEOPLE, 3)
    return out


def draw(target: Path, rise: float = 10.0) -> None:
    """The two days around the rise of the first person whose rise the generic score told."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    values = pulses(rise)
    step, finding = next((i, f) for i, f in raised(values) if i >= RISE.start and "unlike" in f.evidence["rule"])
    shown = slice(RISE.start - DAY_STEPS, RISE.stop + DAY_STEPS // 4)
    hours = (np.arange(shown.start, shown.stop) - RISE.start) * STEP_SECONDS / 3600
    figure, axes = plt.subplots(figsize=(8, 2.8))
    axes.plot(hours, values[shown, finding.subject], lw=0.6, color="tab:blue", label="made-up pulse, /min")
    axes.axvspan(0, (RISE.stop - RISE.start) * STEP_SECONDS / 3600, color="tab:orange", alpha=0.15, label="rise of 10")
    told = (step - RISE.start) * STEP_SECONDS / 3600
    robust = finding.evidence["robust_z"]
    axes.axvline(told, color="tab:red", label=f"told: robust z {robust:.1f}, anomaly {finding.evidence['anomaly']:.2f}")
    axes.set_xlabel("hours since the rise began")
    axes.legend(fontsize=7, loc="upper left")
    figure.tight_layout()
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=90)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picture", type=Path)
    asked = parser.parse_args()
    print(json.dumps(figures(), indent=1))
    if asked.picture is not None:
        draw(asked.picture)


if __name__ == "__main__":
    main()
