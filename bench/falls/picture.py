"""A report of the training enters, a picture of its figures with their intervals leaves as PNG.

    python -m bench.falls.train --measure folds --report REPORT.json
    python -m bench.falls.picture REPORT.json docs/img/falls.png

Needs matplotlib, which is a library of the development environment, never of the product.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from bench.falls.measure import TARGETS

_KINDS = (("sensitivity", "tab:red"), ("specificity", "tab:blue"), ("specificity_older", "tab:green"))


def draw(report: dict[str, Any], target: Path) -> None:
    """One panel a position, one row a set and kind of figure; the bar at the target."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(len(report), 1, figsize=(7, 1.5 + 2.6 * len(report)), squeeze=False)
    for axes, (position, sets) in zip(panels[:, 0], report.items(), strict=True):
        rows = []
        for name, figures in sets.items():
            if not isinstance(figures, dict):
                continue
            for (kind, colour), aim in zip(_KINDS, TARGETS[position], strict=True):
                if figures[kind]:
                    rows.append((f"{name}: {kind.replace('_', ', ')}", colour, aim, figures[kind]))
        for y, (_, colour, aim, (share, low, high)) in enumerate(reversed(rows)):
            axes.plot([100 * low, 100 * high], [y, y], color=colour, lw=2)
            axes.plot(100 * share, y, "o", color=colour)
            axes.plot([100 * aim] * 2, [y - 0.35, y + 0.35], color="black", lw=1)
        axes.set_yticks(range(len(rows)), [row[0] for row in reversed(rows)], fontsize=7)
        axes.set_title(f"{position}: people held out, 95 % Wilson interval, black: target", fontsize=9)
        axes.set_xlabel("%", fontsize=8)
        axes.grid(axis="x", alpha=0.3)
    figure.tight_layout()
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=90)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=Path)
    parser.add_argument("target", type=Path)
    options = parser.parse_args()
    draw(json.loads(options.report.read_text(encoding="utf-8")), options.target)


if __name__ == "__main__":
    main()
