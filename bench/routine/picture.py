"""Reports of the routine benches enter, a picture of alarms against delay leaves as PNG.

    python -m bench.routine.measure --data DIR > MEASURE.json
    python -m bench.routine.split --data DIR > SPLIT.json
    python -m bench.routine.picture MEASURE.json SPLIT.json docs/img/routine.png

Needs matplotlib, a dependency of development only. Only figures are drawn, no recorded signal.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

ANCHOR = (0.09, 5 + 23 / 60)
"""Published: the Inactivity Score (Wilhelm and Wahl, Sensors 2024), on other homes."""


def draw(measured: dict[str, Any], split: dict[str, Any], target: Path) -> None:
    """Left: delay of a simulated collapse over false alarms; right: what raises them."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    shipped, other = measured["front_and_back_door"], split["stillness"]
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3.4), width_ratios=(3, 2))
    for rule in other["rules"]:
        left.plot(rule["alarms_a_day"], rule["delay_hours"], "o", color="lightgray")
    for (rate, low, high), (delay, soon, late), colour, label in (
        (shipped["alarms_together_a_day"], shipped["delay_hours"]["mean"], "tab:blue", "shipped, all homes (95 %)"),
        (other["alarms_a_day"], other["delay_hours"], "tab:orange", "chosen on other homes (90 % of draws)"),
    ):
        left.errorbar(rate, delay, xerr=[[rate - low], [high - rate]], yerr=[[delay - soon], [late - delay]],
                      fmt="o", color=colour, label=label)  # fmt: skip
    left.plot(*ANCHOR, "k*", ms=10, label="published, other homes")
    left.axvline(0.1, color="black", lw=0.7, ls=":")
    left.set_xlabel("false alarms per resident-day, all three detectors")
    left.set_ylabel("mean hours until a collapse is told")
    left.legend(fontsize=7)
    kinds = shipped["alarms"]
    right.barh(list(kinds), [rate for _, rate in kinds.values()], color="tab:blue")
    right.set_xlabel("per resident-day")
    right.tick_params(axis="y", labelsize=7)
    _save(figure, target)


def _save(figure: Any, target: Path) -> None:
    figure.tight_layout()
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=90)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("measured", "split", "target"):
        parser.add_argument(name, type=Path)
    asked = parser.parse_args()
    reports = (json.loads(path.read_text(encoding="utf-8")) for path in (asked.measured, asked.split))
    draw(*reports, asked.target)


if __name__ == "__main__":
    main()
