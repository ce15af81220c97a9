"""Recorded stays and homes enter, figures of the production vital detectors leave as JSON.

`python -m bench.vitals.measure --stays DIR --homes DIR`; either may be left out. See `wards` and `homes` for the files.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from bench.vitals import homes, wards


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stays", type=Path, help="folder with vitals.csv.gz and patients.csv")
    parser.add_argument("--homes", type=Path, help="folder with physiology.csv.gz")
    asked = parser.parse_args()
    if asked.stays is None and asked.homes is None:
        parser.error("give --stays or --homes")
    out = {}
    if asked.stays is not None:
        out["stays"] = wards.figures(asked.stays)
    if asked.homes is not None:
        out["homes"] = homes.figures(asked.homes)
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
