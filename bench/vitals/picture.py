"""Reports of `bench.vitals.measure` enter, a picture of what the vital detectors see leaves as PNG.

    python -m bench.vitals.measure --stays DIR --homes DIR > REPORT.json
    python -m bench.vitals.picture REPORT.json docs/img/vitals.png

Needs matplotlib, a dependency of development only. Only figures are drawn, no recorded signal.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any


def draw(report: dict[str, Any], target: Path) -> None:
    """Left: area under the curve for death in hospital; right: injected changes seen; both with 95 % intervals."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, 2, figsize=(9, 3.2))
    death = report["stays"]["area_for_death"]
    changes = {name: one["seen"] for name, one in report["homes"]["changes"].items()}
    sides = (
        (death, "area under the curve, death in hospital", "news2"),
        (changes, "share of homes, within 14 days", ""),
    )
    for axes, (rows, words, ours) in zip(panels, sides, strict=True):
        for y, (name, (share, low, high)) in enumerate(reversed(rows.items())):
            colour = "tab:blue" if name.startswith(ours) else "gray"
            axes.plot([low, high], [y, y], color=colour, lw=2)
            axes.plot(share, y, "o", color=colour)
        axes.set_yticks(range(len(rows)), [name.replace("_", " ") for name in reversed(rows)], fontsize=7)
        axes.set_xlabel(words, fontsize=8)
        axes.grid(axis="x", alpha=0.3)
    panels[0].axvline(0.5, color="black", lw=0.7, ls=":")
    figure.tight_layout()
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=90)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=Path)
    parser.add_argument("target", type=Path)
    asked = parser.parse_args()
    draw(json.loads(asked.report.read_text(encoding="utf-8")), asked.target)


if __name__ == "__main__":
    main()
