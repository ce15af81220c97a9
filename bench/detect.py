"""How fast the personal detectors are: made-up vitals of many residents enter, seconds a pass and bytes a state leave.

A pass is what the alerts role does with one minute of everybody's vitals: every personal detector consumes the batch
and lets the minute pass. The state is warmed up first, with fourteen days of history in the baselines, so that the pass
does the work of an ordinary day. Seconds are those of the processor, so that a busy neighbour does not count. Beside it
stands the same machine's memory bandwidth: NumPy's plain sum over the same arrays, batch and state, in the same run.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from alerts.detector_set import Detectors
from alerts.detectors.base import Batch, Detector
from alerts.detectors.parameters import BASELINE_RULES
from core.errors import BadInput
from core.metrics import BY_CODE

METRICS: Final = ("heart_rate", "spo2", "resp_rate", "body_temp", "bp_sys")
_MEAN: Final = np.array([72.0, 97.0, 16.0, 36.6, 130.0])
_SPREAD: Final = np.array([4.0, 0.8, 1.5, 0.2, 8.0])
_START: Final = 1_764_000_000.0
_HISTORY_DAYS: Final = 14
_WARM_UP_MINUTES: Final = 5
PASSES_MAX: Final = 30


def run(residents: int = 100_000, seconds: float = 20.0, seed: int = 1) -> dict[str, Any]:
    """Figures of at least three passes, and as many as fit into `seconds`. Raises BadInput without residents."""
    if residents < 1 or seconds <= 0:
        raise BadInput("the bench needs at least one resident and some time")
    rng = np.random.default_rng(seed)
    detectors = Detectors().personal()
    _give_history(detectors, residents, rng)
    passes: list[float] = []
    parts: dict[str, list[float]] = {name: [] for name in detectors}
    findings, minute, begun = 0, 0, time.perf_counter()
    while len(passes) < PASSES_MAX and (len(passes) < 3 or time.perf_counter() - begun < seconds):
        batch = _minute(rng, residents, minute)
        took = 0.0
        for name, detector in detectors.items():
            start = time.process_time()
            found = detector.consume(batch) + detector.tick(_START + 60 * (minute + 1))
            spent = time.process_time() - start
            took += spent
            if minute >= _WARM_UP_MINUTES:
                parts[name].append(spent)
            findings += len(found)
        if minute >= _WARM_UP_MINUTES:
            passes.append(took)
        minute += 1
    arrays = [array for detector in detectors.values() for array in detector.state().values()]
    size = sum(array.nbytes for array in arrays)
    per_pass = statistics.median(passes)
    bandwidth, moved = _bandwidth([*batch, *arrays])
    return {
        "residents": residents,
        "metrics": len(METRICS),
        "readings_per_pass": len(batch.time),
        "passes": len(passes),
        "seconds_per_pass": round(per_pass, 4),
        "seconds_per_pass_max": round(max(passes), 4),
        "seconds_per_detector": {name: round(statistics.median(took), 4) for name, took in parts.items()},
        "readings_per_s": round(len(batch.time) / per_pass),
        "bandwidth_seconds": round(bandwidth, 4),
        "bandwidth_gib_per_s": round(moved / bandwidth / 2**30, 2),
        "share_of_bandwidth": round(bandwidth / per_pass, 4),
        "bytes_per_resident_metric": round(size / residents / len(METRICS), 1),
        "findings": findings,
        "numpy": np.__version__,
        "seed": seed,
    }


def _minute(rng: np.random.Generator, residents: int, minute: int) -> Batch:
    """One reading of every metric of every resident, all within a minute."""
    value = _MEAN + _SPREAD * rng.standard_normal((residents, len(METRICS)))
    metric = np.array([BY_CODE[code].id for code in METRICS], np.int16)
    at = _START + 60 * minute + np.repeat(rng.uniform(0, 50, residents), len(METRICS))
    subject = np.repeat(np.arange(residents, dtype=np.int64), len(METRICS))
    return Batch(subject, np.tile(metric, residents), at, value.ravel())


def _give_history(detectors: dict[str, Detector], residents: int, rng: np.random.Generator) -> None:
    """Two weeks of an ordinary past in the baselines, by way of their checkpoint."""
    for detector in detectors.values():
        detector.consume(_minute(rng, residents, -1))
    state = detectors["baseline"].state()
    state["begun"] -= _HISTORY_DAYS * 86_400
    for column, rule in enumerate(BASELINE_RULES):
        if rule.metric in METRICS:
            usual = METRICS.index(rule.metric)
            state["center"][:, column] = _MEAN[usual]
            state["spread"][:, column] = 0.6745 * _SPREAD[usual]
            state["count"][:, column] = 60 * _HISTORY_DAYS
            state["block_count"][:, column] = 60  # an hour of the two is gathered: some people's end in every pass
    series = residents * sum(rule.by_hour for rule in BASELINE_RULES)
    detectors["baseline"].restore(state | _residual_history(state, series, rng))


def _residual_history(
    state: Mapping[str, np.ndarray[Any, Any]], series: int, rng: np.random.Generator
) -> dict[str, np.ndarray[Any, Any]]:
    """A full memory of the generic anomaly score: a week's averages of every series, each as unremarkable as any."""
    held = {
        name: np.zeros((series, *array.shape[1:]), array.dtype) for name, array in state.items() if "anomaly_" in name
    }
    held["anomaly_series"] = np.arange(series)
    held["anomaly_count"] += held["anomaly_value"].shape[1]
    for name in ("anomaly_value", "anomaly_strange"):
        held[name][:] = np.abs(rng.standard_normal(held[name].shape[1:]))
    return held


def _bandwidth(arrays: list[np.ndarray[Any, Any]]) -> tuple[float, int]:
    """Seconds of the fastest of five sums over all the arrays, and their bytes."""
    views = [array.reshape(-1).view(np.uint8) for array in arrays]
    words = [view[: len(view) // 8 * 8].view(np.float64) for view in views]
    best = np.inf
    for _ in range(5):
        start = time.process_time()
        with np.errstate(all="ignore"):
            for word in words:
                word.sum()
        best = min(best, time.process_time() - start)
    return float(best), sum(word.nbytes for word in words)
