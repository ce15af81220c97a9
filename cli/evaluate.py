"""`anhu evaluate`: recorded signals without labels enter, what production would have found in them leaves as CSV.

The detectors are the production ones with production defaults. They meet every trial fresh, in windows of the size that
devices send, and know neither the set nor the trial's length.
"""

from __future__ import annotations

import csv
import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer

from alerts.detectors.falls import FallDetector
from alerts.detectors.parameters import FALL_THRESHOLD, FALL_WAIT
from cli import evaluate_anomalies, evaluate_routine
from core.errors import AnhuError, BadInput

app = typer.Typer(
    no_args_is_help=True, help="Run the production detectors over recorded signals. 用录制信号评估检测器。"
)

WINDOW_SECONDS = 2.0
_COLUMNS = ("trial_id", "fs_hz", "position", "acc_start", "acc_n")


class Trial(NamedTuple):
    """One recording: samples (n, 3) in g."""

    trial_id: str
    hz: float
    position: str
    samples: np.ndarray[Any, np.dtype[np.float32]]


class Verdict(NamedTuple):
    """What production would have made of a trial; `t_fall` in seconds from its first sample."""

    fall: bool
    t_fall: float | None
    score: float


@app.callback()
def _evaluate() -> None:
    """Run the production detectors over recorded signals."""


@app.command()
def falls(
    source: Annotated[Path, typer.Option("--input", help="folder with trials.csv and signals.npz")],
    target: Annotated[Path, typer.Option("--output", help="CSV to write: trial_id, fall, t_fall, score")],
) -> None:
    """Falls in recorded accelerometer trials. 加速度记录中的跌倒。"""
    try:
        trials = list(read_trials(source))
        rows = [(trial.trial_id, _judged(trial)) for trial in trials]
        _write(target, rows)
    except (AnhuError, OSError) as error:
        typer.echo(f"anhu evaluate falls: {error}", err=True)
        raise typer.Exit(2) from error
    typer.echo(f"{len(rows)} trials, {sum(verdict.fall for _, verdict in rows)} falls -> {target}", err=True)


@app.command()
def anomalies(
    source: Annotated[Path, typer.Option("--input", help="folder with CSVs of timestamp, value, at any depth")],
    target: Annotated[Path, typer.Option("--output", help="folder for the same files with an anomaly_score")],
) -> None:
    """Anomalies in recorded time series. 时间序列中的异常。"""
    try:
        files, rows = evaluate_anomalies.evaluate(source, target)
    except (AnhuError, OSError) as error:
        typer.echo(f"anhu evaluate anomalies: {error}", err=True)
        raise typer.Exit(2) from error
    typer.echo(f"{files} files, {rows} rows -> {target}", err=True)


@app.command()
def routine(
    source: Annotated[Path, typer.Option("--input", help="folder with activity.csv.gz and physiology.csv.gz")],
    target: Annotated[Path, typer.Option("--output", help="CSV to write: a row of scores for every home-day")],
) -> None:
    """Unusual days and alarming vital readings in recorded homes. 居家活动与体征记录中的异常日。"""
    try:
        homes, days = evaluate_routine.evaluate(source, target)
    except (AnhuError, OSError) as error:
        typer.echo(f"anhu evaluate routine: {error}", err=True)
        raise typer.Exit(2) from error
    typer.echo(f"{homes} homes, {days} home-days -> {target}", err=True)


def _judged(trial: Trial) -> Verdict:
    try:
        return judge(trial)
    except BadInput as error:
        raise BadInput(f"trial {trial.trial_id!r}: {error}") from error


def judge(trial: Trial) -> Verdict:
    """Feed a trial to a fresh production detector, window by window, and let it wait as production would."""
    judged: list[tuple[float, float]] = []
    detector = FallDetector(observer=lambda _, time, score: judged.append((score, time)))
    size = max(2, round(WINDOW_SECONDS * trial.hz))
    found = []
    for start in range(0, len(trial.samples), size):
        window = trial.samples[start : start + size]
        found += detector.consume_window(0, start / trial.hz, trial.hz, window, trial.position)
    found += detector.tick(len(trial.samples) / trial.hz + FALL_WAIT.value)
    score = max((score for score, _ in judged), default=0.0)
    if not found:
        return Verdict(fall=False, t_fall=None, score=score)
    best = max((s, -t) for s, t in judged if s >= FALL_THRESHOLD.value)
    return Verdict(fall=True, t_fall=max(0.0, -best[1]), score=score)


def read_trials(folder: Path) -> Iterator[Trial]:
    """The trials of a folder. Raises BadInput naming file, row and what is wrong."""
    table, signals = folder / "trials.csv", folder / "signals.npz"
    for path in (table, signals):
        if not path.is_file():
            raise BadInput(f"{path} is missing")
    acc = _read_signals(signals)
    with table.open(newline="", encoding="utf-8-sig") as file:
        try:
            reader = csv.DictReader(file, strict=True)
            lacking = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
            if lacking:
                raise BadInput(f"{table} lacks the columns {', '.join(lacking)}")
            rows = list(reader)
        except (csv.Error, UnicodeDecodeError) as error:
            raise BadInput(f"{table} is not a CSV in UTF-8: {error}") from error
    if not rows:
        raise BadInput(f"{table} holds no trial")
    seen: set[str] = set()
    for number, row in enumerate(rows, start=2):
        where = f"{table}, row {number}"
        trial = _trial(row, acc, where)
        if trial.trial_id in seen:
            raise BadInput(f"{where}: trial_id {trial.trial_id!r} stands there twice")
        seen.add(trial.trial_id)
        yield trial


def _read_signals(path: Path) -> np.ndarray[Any, Any]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            if "acc_mg" not in archive:
                raise BadInput(f"{path} lacks the array acc_mg")
            acc = archive["acc_mg"]
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise BadInput(f"{path} is not an archive of arrays: {error}") from error
    if acc.ndim != 2 or acc.shape[1] != 3 or acc.dtype.kind not in "iuf":
        raise BadInput(f"{path}: acc_mg must be numbers of shape (n, 3), got {acc.dtype} {acc.shape}")
    return np.asarray(acc)


def _trial(row: dict[str, str], acc: np.ndarray[Any, Any], where: str) -> Trial:
    if None in row or None in row.values():
        raise BadInput(f"{where}: the number of fields is not that of the header")
    if not row["trial_id"]:
        raise BadInput(f"{where}: trial_id is empty")
    try:
        hz = float(row["fs_hz"])
    except ValueError as error:
        raise BadInput(f"{where}: fs_hz must be a number, got {row['fs_hz']!r}") from error
    start, n = (_whole(row[name], name, where) for name in ("acc_start", "acc_n"))
    if not (math.isfinite(hz) and hz > 0):
        raise BadInput(f"{where}: fs_hz must be above 0, got {row['fs_hz']}")
    if start < 0 or n < 1 or start + n > len(acc):
        raise BadInput(f"{where}: rows {start} to {start + n - 1} do not lie in acc_mg, which has {len(acc)}")
    samples = acc[start : start + n].astype(np.float32) / np.float32(1000)
    if not np.isfinite(samples).all():
        raise BadInput(f"{where}: acc_mg holds values that are no finite numbers in rows {start} to {start + n - 1}")
    return Trial(row["trial_id"], hz, row["position"], samples)


def _whole(text: str, name: str, where: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise BadInput(f"{where}: {name} must be a whole number, got {text!r}") from error


def _write(target: Path, rows: list[tuple[str, Verdict]]) -> None:
    with target.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["trial_id", "fall", "t_fall", "score"])
        for trial_id, verdict in rows:
            t_fall = "" if verdict.t_fall is None else f"{verdict.t_fall:.3f}"
            writer.writerow([trial_id, int(verdict.fall), t_fall, f"{verdict.score:.6f}"])
