"""The fall detector's own time: made-up motion enters, milliseconds a window and a batch leave as JSON.

    python -m bench.falls.speed

`idle` are devices at rest, whose windows hold no impact and go no further than the ring; `struck` are windows with one
impact each, the dear case; `batch` is the model alone over 1,000 impacts at once. Processor time, which other work on
the machine disturbs least; medians of several runs. Set OMP_NUM_THREADS=1, or the time of all threads is summed up.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable

import numpy as np

from alerts.detectors import fall_features as ff
from alerts.detectors.fall_model import production
from alerts.detectors.falls import FallDetector

_HZ = 50.0
_SECONDS = 10
_DEVICES = 100
_BATCH = 1000


def _rest(rng: np.random.Generator) -> np.ndarray:
    """A window (n, 3) in g of somebody who sits still."""
    return np.array([0.0, 0.0, 1.0]) + rng.normal(0, 0.01, (round(_HZ * _SECONDS), 3))


def _struck(rng: np.random.Generator) -> np.ndarray:
    """The same with one blow in its middle."""
    window = _rest(rng)
    at = len(window) // 2
    window[at - 3 : at + 4] += rng.normal(0, 1, 3) * 2
    window[at, 2] += 3
    return window


def _streamed_ms(make: Callable[[np.random.Generator], np.ndarray], position: str) -> float:
    """Milliseconds a window of 10 s, a window of each device."""
    rng = np.random.default_rng(1)
    windows = [make(rng) for _ in range(_DEVICES)]
    detector = FallDetector()
    for device in range(_DEVICES):
        detector.consume_window(device, -60.0, _HZ, windows[device][:50], position)
    begin = time.process_time()
    for device, window in enumerate(windows):
        detector.consume_window(device, 0.0, _HZ, window, position)
    detector.flush()
    return 1000 * (time.process_time() - begin) / _DEVICES


def _batch_ms(position: str) -> float:
    """Milliseconds for the model over 1,000 impacts at once."""
    windows = np.random.default_rng(2).normal(0, 0.7, (_BATCH, ff.WIDTH, 3)) + np.array([0.0, 0.0, 1.0])
    model = production()
    begin = time.process_time()
    model.score(windows, position)
    return 1000 * (time.process_time() - begin)


def main() -> None:
    production()
    out: dict[str, float] = {}
    for position in ("wrist", "waist", "unknown"):
        runs = 3 if position == "wrist" else 1
        for name, measure in (
            ("idle_ms_per_10s_window", lambda p: _streamed_ms(_rest, p)),
            ("struck_ms_per_10s_window", lambda p: _streamed_ms(_struck, p)),
            ("batch_ms_per_1000_impacts", _batch_ms),
        ):
            out[f"{position}_{name}"] = round(statistics.median(measure(position) for _ in range(runs)), 3)
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
